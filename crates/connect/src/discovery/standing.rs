//! What is known of a tenant's hosts, and whether to ask again: decided without any waiting.

use unbroken_core::connector::{Class, Failure};

use crate::discovery::hosts::Hosts;

/// See the module.
#[derive(Debug, Default)]
pub(crate) struct Standing {
    known: Option<Hosts>,
    /// A request got no answer from a host, or one that a host of others might give.
    in_doubt: bool,
    /// The service was asked since a host last served us.
    is_fresh: bool,
}

impl Standing {
    /// The hosts, unless the service has to be asked first.
    pub(crate) fn certain(&self) -> Option<Hosts> {
        self.known.clone().filter(|_| !self.in_doubt)
    }

    /// The hosts, certain or not.
    pub(crate) fn known(&self) -> Option<&Hosts> {
        self.known.as_ref()
    }

    /// Nobody waits for a host's answer any more.
    pub(crate) fn forsake(&mut self) {
        self.in_doubt = true;
    }

    /// The service has named hosts. True: others than before.
    pub(crate) fn learn(&mut self, hosts: Hosts) -> bool {
        let moved = self.known.as_ref().is_some_and(|known| *known != hosts);
        (self.known, self.in_doubt, self.is_fresh) = (Some(hosts), false, true);
        moved
    }

    /// The service did not answer: the hosts are tried once more as they are.
    pub(crate) fn settle(&mut self) {
        self.in_doubt = false;
    }

    /// What became of a request to a host. The failure may be taken back: a host that refuses us
    /// for good may be the wrong one, so the service is asked before a person is.
    pub(crate) fn judge<T>(&mut self, answered: Result<T, Failure>) -> Result<T, Failure> {
        match answered {
            Ok(answer) => {
                (self.in_doubt, self.is_fresh) = (false, false);
                Ok(answer)
            }
            Err(failure) => {
                self.in_doubt = is_doubtful(&failure);
                let first = failure.class == Class::Fatal && !self.is_fresh && self.in_doubt;
                let class = if first { Class::Retry { after_ms: None } } else { failure.class };
                Err(Failure { class, ..failure })
            }
        }
    }
}

/// Whether the host may be gone, or no longer know us. One that is overloaded or refuses a position
/// does.
fn is_doubtful(failure: &Failure) -> bool {
    !matches!(failure.code, Some(400 | 408..=410 | 425 | 429 | 500..))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::transport::Origin;

    fn hosts(name: &str) -> Hosts {
        let origin = Origin::api(&format!("https://{name}.example"), false).unwrap();
        Hosts { api: origin.clone(), token: origin }
    }

    fn served(name: &str) -> Standing {
        let mut standing = Standing::default();
        standing.learn(hosts(name));
        standing.judge(Ok(())).unwrap();
        standing
    }

    fn failure(class: Class, code: Option<u16>) -> Result<(), Failure> {
        Err(Failure { class, code, what: "x".into() })
    }

    const RETRY: Class = Class::Retry { after_ms: None };

    #[test]
    fn a_host_that_serves_us_is_not_doubted() {
        let mut standing = served("a");
        assert_eq!(standing.certain(), Some(hosts("a")));
        for code in [429, 500, 503, 400, 410] {
            let class = standing.judge(failure(RETRY, Some(code))).unwrap_err().class;
            assert_eq!((standing.certain(), class), (Some(hosts("a")), RETRY), "{code}");
        }
    }

    #[test]
    fn one_that_does_not_answer_or_does_not_know_us_is() {
        for code in [None, Some(301), Some(401), Some(403), Some(404), Some(421)] {
            let mut standing = served("a");
            assert!(standing.judge(failure(Class::Reauthorize, code)).is_err());
            assert_eq!(standing.certain(), None, "{code:?}");
            assert_eq!(standing.known(), Some(&hosts("a")));
        }
        let mut standing = served("a");
        standing.forsake();
        assert_eq!(standing.certain(), None, "whoever asked has stopped waiting");
    }

    #[test]
    fn before_a_person_is_asked_the_service_is_once() {
        let mut standing = served("a");
        let refused = || failure(Class::Fatal, Some(404));
        assert_eq!(standing.judge(refused()).unwrap_err().class, RETRY);
        assert!(!standing.learn(hosts("a")));
        assert_eq!(standing.judge(refused()).unwrap_err().class, Class::Fatal);
        let mut standing = served("a");
        for _ in 0..3 {
            assert_eq!(standing.judge(refused()).unwrap_err().class, RETRY);
            assert_eq!(standing.certain(), None);
            standing.settle();
            assert_eq!(standing.certain(), Some(hosts("a")), "the service did not answer");
        }
        assert!(standing.learn(hosts("b")), "it has moved");
        assert_eq!(standing.certain(), Some(hosts("b")));
    }
}
