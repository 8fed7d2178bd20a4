//! Signatures as Standard Webhooks has them
//! (<https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md>).

use aws_lc_rs::hmac::{HMAC_SHA256, Key, sign};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use crate::SinkError;

/// What stands before a secret that is written in base64.
const IN_BASE64: &str = "whsec_";

/// The keys that a request is signed with: more than one while a secret is being changed.
pub(super) struct Keys(Vec<Key>);

impl Keys {
    /// A secret that begins with `whsec_` is what the base64 behind it stands for; any other is its
    /// own bytes.
    pub(super) fn of(secrets: &[String]) -> Result<Self, SinkError> {
        let key = |secret: &String| {
            let bytes = match secret.strip_prefix(IN_BASE64) {
                Some(text) => STANDARD.decode(text).map_err(|_| no_base64())?,
                None => secret.as_bytes().to_vec(),
            };
            Ok(Key::new(HMAC_SHA256, &bytes))
        };
        secrets.iter().map(key).collect::<Result<_, _>>().map(Self)
    }

    /// The value of `webhook-signature`; `None`: there is no secret.
    pub(super) fn signature(&self, id: &str, timestamp: i64, body: &str) -> Option<String> {
        let content = format!("{id}.{timestamp}.{body}");
        let signed = |key| format!("v1,{}", STANDARD.encode(sign(key, content.as_bytes())));
        let signatures: Vec<String> = self.0.iter().map(signed).collect();
        (!signatures.is_empty()).then(|| signatures.join(" "))
    }
}

fn no_base64() -> SinkError {
    SinkError::blocked(
        "a secret of the webhook begins with `whsec_`, and no base64 follows",
        "write it as the receiver has it; one that is no base64 goes without `whsec_`",
    )
}

#[cfg(test)]
mod tests {
    use super::Keys;

    const SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";

    /// The example that the specification's own libraries are tested with.
    #[test]
    fn the_specification_s_example_is_signed_as_it_says() {
        let keys = Keys::of(&[SECRET.to_owned()]).expect("a secret");
        let body = r#"{"test": 2432232314}"#;
        let signature = keys.signature("msg_p5jXN8AQM9LWM0D4loKWxJek", 1_614_265_330, body);
        let expected = "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=";
        assert_eq!(signature.as_deref(), Some(expected));
    }

    #[test]
    fn each_secret_signs_and_without_one_nothing_is_signed() {
        let keys = Keys::of(&[SECRET.to_owned(), "a plain text".to_owned()]).expect("secrets");
        let signature = keys.signature("a", 1, "[]").expect("a signature");
        let parts: Vec<&str> = signature.split(' ').collect();
        assert!(parts.len() == 2 && parts.iter().all(|part| part.starts_with("v1,")));
        assert_ne!(parts[0], parts[1]);
        assert_eq!(Keys::of(&[]).expect("none").signature("a", 1, "[]"), None);
        assert!(Keys::of(&["whsec_no base64".to_owned()]).is_err());
    }
}
