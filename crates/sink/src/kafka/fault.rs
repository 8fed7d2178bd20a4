//! What an error of librdkafka means to a sink.

use rdkafka::error::{KafkaError, RDKafkaErrorCode as Code};

use super::client::Ear;
use crate::SinkError;

/// As a sink says it. `doing` is what was asked of the brokers.
pub(super) fn fault(doing: &'static str, error: &KafkaError, ear: &Ear) -> SinkError {
    // Its own words would quote the value, which may be a secret.
    if let KafkaError::ClientConfig(_, why, key, _) = error {
        let what = format!("librdkafka does not take the setting `{key}`: {}", ear.plain(why));
        return SinkError::blocked(what, "look at the sink's configuration");
    }
    if let KafkaError::ClientCreation(why) = error {
        let what = format!("librdkafka makes no client: {}", ear.plain(why));
        return SinkError::blocked(what, "look at the sink's configuration");
    }
    let told = match error {
        KafkaError::Transaction(error) => error.string(),
        _ => error.to_string(),
    };
    let told = ear.plain(&told);
    let code = code_of(error);
    // An answer that did not come is explained by what went wrong on the way.
    if let Some((code, why)) = ear.trouble().filter(|_| code.is_none_or(is_vague)) {
        return fault_of(doing, code, format!("{told}: {why}"));
    }
    match code {
        Some(code) => fault_of(doing, code, told),
        None => SinkError::unreachable(doing)(told),
    }
}

pub(super) fn code_of(error: &KafkaError) -> Option<Code> {
    match error {
        KafkaError::AdminOp(code) => Some(*code),
        _ => error.rdkafka_error_code(),
    }
}

/// As [`fault`], of a code and what was told with it.
pub(super) fn fault_of(doing: &'static str, code: Code, told: String) -> SinkError {
    let todo = match code {
        Code::Authentication | Code::SaslAuthenticationFailed => {
            "look at `user`, `password` and `mechanism`, and at the brokers' configuration of users"
        }
        Code::TopicAuthorizationFailed
        | Code::ClusterAuthorizationFailed
        | Code::TransactionalIdAuthorizationFailed => {
            "permit the user what docs/guides/sinks.md lists, or make the topics for it"
        }
        Code::UnsupportedSASLMechanism => "set `mechanism` to one that the brokers know",
        Code::InvalidReplicationFactor => "set `replicas` to no more than there are brokers",
        Code::InvalidTransactionTimeout => {
            "raise the brokers' `transaction.max.timeout.ms` to 30 s or more"
        }
        Code::PolicyViolation | Code::InvalidConfig | Code::InvalidTopic => {
            "look at the brokers' policies and at `prefix`, or make the topics by hand"
        }
        Code::UnsupportedVersion | Code::UnsupportedFeature | Code::UnsupportedForMessageFormat => {
            "run brokers that know transactions (Kafka 0.11 and newer)"
        }
        // A broker is away, has no leader, is starting or too busy: it may pass.
        _ => return SinkError::unreachable(doing)(told),
    };
    SinkError::blocked(format!("Kafka refuses what is asked of it while {doing}: {told}"), todo)
}

/// A newer producer has the transactional id, or the coordinator has ended a transaction that took
/// too long.
pub(super) fn is_fenced(code: Code) -> bool {
    matches!(code, Code::Fenced | Code::ProducerFenced | Code::InvalidProducerEpoch)
}

fn is_vague(code: Code) -> bool {
    matches!(
        code,
        Code::OperationTimedOut
            | Code::RequestTimedOut
            | Code::MessageTimedOut
            | Code::BrokerTransportFailure
            | Code::AllBrokersDown
    )
}
