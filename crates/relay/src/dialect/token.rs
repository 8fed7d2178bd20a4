//! Tokens that were given for credentials: kept as fingerprints, in memory, until they expire.

use std::collections::HashMap;

use super::credential::{Credentials, Fingerprint};

/// Most tokens that are kept of one client: who asks for more loses the one that ends first.
const TOKENS_MAX: usize = 100;

#[derive(Clone, Copy, Debug)]
struct Given {
    client: usize,
    expires_ms: u64,
}

/// See the module.
#[derive(Debug)]
pub(crate) struct Tokens {
    credentials: Credentials,
    life_ms: u64,
    given: HashMap<Fingerprint, Given>,
}

impl Tokens {
    /// None yet; each lives for so many milliseconds.
    pub(crate) fn new(credentials: Credentials, life_ms: u64) -> Self {
        Self { credentials, life_ms, given: HashMap::new() }
    }

    /// How long a token lives, in whole seconds.
    pub(crate) fn life_s(&self) -> u64 {
        self.life_ms.div_ceil(1_000)
    }

    /// A new token, `text`, for whose pair this is.
    pub(crate) fn give(&mut self, id: &str, secret: &str, text: &str, now_ms: u64) -> bool {
        let Some(client) = self.credentials.client_of_pair(id, secret) else { return false };
        self.given.retain(|_, given| given.expires_ms > now_ms);
        let own = self.given.iter().filter(|(_, given)| given.client == client);
        let own: Vec<_> = own.map(|(print, given)| (given.expires_ms, *print)).collect();
        if own.len() >= TOKENS_MAX
            && let Some((_, first)) = own.iter().min_by_key(|(expires_ms, _)| *expires_ms)
        {
            self.given.remove(first);
        }
        let expires_ms = now_ms.saturating_add(self.life_ms);
        self.given.insert(Fingerprint::of(text), Given { client, expires_ms });
        true
    }

    /// Whose bearer it is; `None`: nobody's, or its time is over.
    pub(crate) fn client_of(&self, bearer: &str, now_ms: u64) -> Option<usize> {
        let shown = Fingerprint::of(bearer);
        let given = self.given.get(&shown).filter(|given| given.expires_ms > now_ms);
        given.map(|given| given.client).or_else(|| self.credentials.client_of_bearer(&shown))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tokens() -> Tokens {
        let mut credentials = Credentials::default();
        credentials.add_pair("app", "secret");
        credentials.add_bearer("fixed");
        Tokens::new(credentials, 1_000)
    }

    #[test]
    fn a_token_is_its_client_s_until_it_expires() {
        let mut tokens = tokens();
        assert!(tokens.give("app", "secret", "t1", 0));
        assert_eq!(tokens.client_of("t1", 999), Some(0));
        assert_eq!(tokens.client_of("t1", 1_000), None);
        assert_eq!(tokens.client_of("fixed", 1_000_000), Some(1));
        assert_eq!(tokens.client_of("t2", 0), None);
    }

    #[test]
    fn nothing_is_given_for_a_wrong_secret() {
        let mut tokens = tokens();
        assert!(!tokens.give("app", "fixed", "t1", 0));
        assert!(!tokens.give("other", "secret", "t1", 0));
        assert_eq!(tokens.client_of("t1", 0), None);
    }

    #[test]
    fn who_asks_for_very_many_loses_the_first() {
        let mut tokens = tokens();
        for at in 0..=TOKENS_MAX {
            assert!(tokens.give("app", "secret", &format!("t{at}"), at as u64));
        }
        assert_eq!(tokens.client_of("t0", 200), None);
        assert_eq!(tokens.client_of("t1", 200), Some(0));
        assert_eq!(tokens.given.len(), TOKENS_MAX);
    }
}
