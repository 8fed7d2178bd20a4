//! By whose leave COPY reads the objects.

use std::fmt;

use object_store::aws::AmazonS3ConfigKey;

use super::literal::text;
use crate::SinkError;

/// A role that is the cluster's, or keys. Its text is a part of COPY, and told nobody else.
pub(super) enum Access {
    /// The cluster's default.
    DefaultRole,
    Role(String),
    Keys {
        id: String,
        secret: String,
        token: Option<String>,
    },
}

impl Access {
    /// Without a role the sink's own keys are used, which are among the store's options.
    pub(super) fn of(role: Option<&str>, options: &[(String, String)]) -> Result<Self, SinkError> {
        match role {
            Some("default") => return Ok(Self::DefaultRole),
            Some(role) => return Ok(Self::Role(role.to_owned())),
            None => {}
        }
        let [id, secret, token] = KEYS.map(|key| value(options, key));
        match (id, secret) {
            (Some(id), Some(secret)) => Ok(Self::Keys { id, secret, token }),
            _ => Err(SinkError::blocked(
                "COPY is given neither a role nor keys",
                "name `iam_role`, or `aws_access_key_id` in `options` and \
                 `aws_secret_access_key` in `secrets`",
            )),
        }
    }

    /// What of the store's options is nobody's to read.
    pub(super) fn secrets(options: &[(String, String)]) -> Vec<String> {
        KEYS.iter().filter_map(|key| value(options, *key)).filter(|it| !it.is_empty()).collect()
    }
}

const KEYS: [AmazonS3ConfigKey; 3] =
    [AmazonS3ConfigKey::AccessKeyId, AmazonS3ConfigKey::SecretAccessKey, AmazonS3ConfigKey::Token];

fn value(options: &[(String, String)], wanted: AmazonS3ConfigKey) -> Option<String> {
    let is_it = |key: &str| key.parse::<AmazonS3ConfigKey>().is_ok_and(|key| key == wanted);
    options.iter().find(|(key, _)| is_it(key)).map(|(_, value)| value.clone())
}

impl fmt::Display for Access {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::DefaultRole => f.write_str("IAM_ROLE DEFAULT"),
            Self::Role(role) => write!(f, "IAM_ROLE {}", text(role)),
            // Of the two ways to give keys the one that COPY has for Parquet as well.
            Self::Keys { id, secret, token } => {
                let token = token.as_ref().map(|token| format!(";token={token}"));
                let token = token.unwrap_or_default();
                let keys = format!("aws_access_key_id={id};aws_secret_access_key={secret}{token}");
                write!(f, "CREDENTIALS {}", text(&keys))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Access;

    #[test]
    fn keys_are_one_text_whatever_is_in_them() {
        let option = |key: &str, value: &str| (key.to_owned(), value.to_owned());
        let mut options =
            vec![option("aws_access_key_id", "AKIA"), option("aws_secret_access_key", "a/b+c'd")];
        let told = |options: &[_]| Access::of(None, options).unwrap().to_string();
        let keys = "aws_access_key_id=AKIA;aws_secret_access_key=a/b+c''d";
        assert_eq!(told(&options), format!("CREDENTIALS '{keys}'"));
        options.push(option("aws_session_token", "t=="));
        assert_eq!(told(&options), format!("CREDENTIALS '{keys};token=t=='"));
    }
}
