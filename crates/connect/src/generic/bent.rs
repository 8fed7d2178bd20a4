//! Texts that are almost right, for tests that hold a quick way against a slow one.

use fastrand::Rng;

/// The text with up to two bytes cut, added or replaced; `None`: that is no UTF-8.
pub(super) fn bend(rng: &mut Rng, text: &str, alphabet: &[u8]) -> Option<String> {
    let mut bytes = text.as_bytes().to_vec();
    for _ in 0..rng.usize(..3) {
        let at = rng.usize(..bytes.len());
        match rng.u8(..3) {
            0 => drop(bytes.remove(at)),
            1 => bytes.insert(at, alphabet[rng.usize(..alphabet.len())]),
            _ => bytes[at] = alphabet[rng.usize(..alphabet.len())],
        }
    }
    String::from_utf8(bytes).ok()
}
