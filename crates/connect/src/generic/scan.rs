//! JSON scanned by hand, for texts as vendors write them.
//!
//! **What it accepts is JSON, and is taken apart as `serde_json` would; what it gives up on may be
//! JSON all the same.** So every user has the slow way behind it: escapes beyond the simple ones,
//! numbers with exponents and deep nesting are not worth a second reading of RFC 8259.

/// Deeper texts are left to the slow way, which does not use the stack for them.
pub(super) const DEPTH_MAX: u32 = 32;

/// Longer numbers are left to the slow way, which knows what is out of range.
const NUMBER_BYTES_MAX: usize = 20;

/// A place in a text.
#[derive(Clone, Debug)]
pub(super) struct Scan<'a> {
    text: &'a str,
    at: usize,
}

/// What begins at a place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Opening {
    Object,
    Array,
    Scalar,
}

impl<'a> Scan<'a> {
    pub(super) fn new(text: &'a str) -> Self {
        Self { text, at: 0 }
    }

    fn byte(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }

    /// Passes over white space.
    pub(super) fn space(&mut self) {
        while matches!(self.byte(), Some(b' ' | b'\n' | b'\t' | b'\r')) {
            self.at += 1;
        }
    }

    /// Whether nothing but white space is left.
    pub(super) fn is_done(&mut self) -> bool {
        self.space();
        self.at == self.text.len()
    }

    /// Passes over this byte, if it is the next.
    pub(super) fn take(&mut self, byte: u8) -> bool {
        let is_next = self.byte() == Some(byte);
        self.at += usize::from(is_next);
        is_next
    }

    /// The place, for [`Scan::since`].
    pub(super) fn place(&self) -> usize {
        self.at
    }

    /// The text from an earlier place to here.
    pub(super) fn since(&self, place: usize) -> Option<&'a str> {
        self.text.get(place..self.at)
    }

    pub(super) fn opening(&self) -> Option<Opening> {
        Some(match self.byte()? {
            b'{' => Opening::Object,
            b'[' => Opening::Array,
            _ => Opening::Scalar,
        })
    }

    /// An object's next member: its name, with the place before its value. `None` inside: the
    /// object has ended. Call first right behind the brace.
    pub(super) fn member(&mut self, is_first: bool) -> Option<Option<&'a str>> {
        if !self.another(b'}', is_first)? {
            return Some(None);
        }
        let name = self.plain_string()?;
        self.space();
        if !self.take(b':') {
            return None;
        }
        self.space();
        Some(Some(name))
    }

    /// Whether an array has another item; then the place is before it. Call first right behind the
    /// bracket.
    pub(super) fn item(&mut self, is_first: bool) -> Option<bool> {
        self.another(b']', is_first)
    }

    fn another(&mut self, end: u8, is_first: bool) -> Option<bool> {
        self.space();
        if self.take(end) {
            return Some(false);
        }
        if !is_first {
            if !self.take(b',') {
                return None;
            }
            self.space();
        }
        Some(true)
    }

    /// Passes over a value and gives its text.
    pub(super) fn value(&mut self, depth: u32) -> Option<&'a str> {
        let begin = self.at;
        match self.opening()? {
            Opening::Scalar => self.scalar()?,
            Opening::Object => {
                self.at += 1;
                let mut is_first = true;
                while self.deeper(depth)?.member(is_first)?.is_some() {
                    self.value(depth + 1)?;
                    is_first = false;
                }
            }
            Opening::Array => {
                self.at += 1;
                let mut is_first = true;
                while self.deeper(depth)?.item(is_first)? {
                    self.value(depth + 1)?;
                    is_first = false;
                }
            }
        }
        self.since(begin)
    }

    fn deeper(&mut self, depth: u32) -> Option<&mut Self> {
        (depth < DEPTH_MAX).then_some(self)
    }

    /// Passes over a string, a number, or a word.
    pub(super) fn scalar(&mut self) -> Option<()> {
        match self.byte()? {
            b'"' => self.string().map(drop),
            b't' => self.word("true"),
            b'f' => self.word("false"),
            b'n' => self.word("null"),
            _ => self.number(),
        }
    }

    fn word(&mut self, word: &str) -> Option<()> {
        let rest = self.text.as_bytes().get(self.at..)?;
        if !rest.starts_with(word.as_bytes()) {
            return None;
        }
        self.at += word.len();
        Some(())
    }

    fn number(&mut self) -> Option<()> {
        let begin = self.at;
        self.take(b'-');
        let whole = self.digits();
        let leads_with_zero = whole > 1 && self.text.as_bytes().get(self.at - whole) == Some(&b'0');
        if whole == 0 || leads_with_zero {
            return None;
        }
        if self.take(b'.') && self.digits() == 0 {
            return None;
        }
        let is_odd = matches!(self.byte(), Some(b'e' | b'E')) || self.at - begin > NUMBER_BYTES_MAX;
        (!is_odd).then_some(())
    }

    fn digits(&mut self) -> usize {
        let begin = self.at;
        while self.byte().is_some_and(|byte| byte.is_ascii_digit()) {
            self.at += 1;
        }
        self.at - begin
    }

    /// Passes over a string without escapes and gives what is between its quotes.
    fn plain_string(&mut self) -> Option<&'a str> {
        let begin = self.at + 1;
        let is_plain = self.string()?;
        self.text.get(begin..self.at - 1).filter(|_| is_plain)
    }

    /// Passes over a string; tells whether it had no escapes.
    fn string(&mut self) -> Option<bool> {
        if !self.take(b'"') {
            return None;
        }
        let mut is_plain = true;
        loop {
            self.at += plain_bytes(self.text.as_bytes().get(self.at..)?);
            match self.byte()? {
                b'"' => {
                    self.at += 1;
                    return Some(is_plain);
                }
                b'\\' => {
                    let escaped = self.text.as_bytes().get(self.at + 1)?;
                    if !matches!(escaped, b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't') {
                        return None;
                    }
                    is_plain = false;
                    self.at += 2;
                }
                _ => return None,
            }
        }
    }
}

/// How many bytes come before the first quote, backslash or control character. Eight at a time: in
/// a word, the lowest byte that one of the three tests marks is marked truly (those above may not
/// be), so the count of zeros below it is exact.
fn plain_bytes(bytes: &[u8]) -> usize {
    const ONES: u64 = u64::MAX / 255;
    const HIGH: u64 = ONES << 7;
    let zero_in = |word: u64| word.wrapping_sub(ONES) & !word & HIGH;
    let (words, rest) = bytes.as_chunks::<8>();
    for (index, word) in words.iter().enumerate() {
        let word = u64::from_le_bytes(*word);
        let control = word.wrapping_sub(ONES * 0x20) & !word & HIGH;
        let quote = zero_in(word ^ (ONES * u64::from(b'"')));
        let backslash = zero_in(word ^ (ONES * u64::from(b'\\')));
        let marks = control | quote | backslash;
        if marks != 0 {
            return index * 8 + marks.trailing_zeros() as usize / 8;
        }
    }
    let stops = |byte: &u8| *byte < 0x20 || matches!(byte, b'"' | b'\\');
    words.len() * 8 + rest.iter().position(stops).unwrap_or(rest.len())
}

#[cfg(test)]
mod tests {
    use serde::de::IgnoredAny;

    use super::*;
    use crate::generic::bent::bend;

    fn accepts(text: &str) -> bool {
        let mut scan = Scan::new(text);
        scan.space();
        scan.value(0).is_some() && scan.is_done()
    }

    #[test]
    fn plain_bytes_end_at_the_first_special_one() {
        for length in 0..40 {
            for special in [b'"', b'\\', 0, 0x1f] {
                let mut text = vec![0x80; length];
                assert_eq!(plain_bytes(&text), length);
                text.push(special);
                text.extend_from_slice(b"\"\\ abc\x01");
                assert_eq!(plain_bytes(&text), length, "{special}");
            }
        }
        for byte in 0..=255 {
            let stops = byte < 0x20 || byte == b'"' || byte == b'\\';
            for at in 0..17 {
                let mut text = [b'a'; 17];
                text[at] = byte;
                assert_eq!(plain_bytes(&text), if stops { at } else { 17 }, "{byte} at {at}");
            }
        }
    }

    #[test]
    fn values_as_vendors_write_them_are_accepted() {
        for text in [
            "1",
            "-0",
            "0.50",
            "\"\"",
            "true",
            " null ",
            "[]",
            "{ }",
            r#"{"a":[1,-2.5,"x\"y\\"],"é":{"b":null}}"#,
            "\t[ 1 , { \"a\" : false } ]\r\n",
        ] {
            assert!(accepts(text), "{text}");
        }
    }

    /// Every text made from valid ones by cutting, doubling and replacing bytes: what is accepted
    /// is JSON.
    #[test]
    fn what_is_accepted_is_json() {
        let seed = fastrand::u64(..);
        let mut rng = fastrand::Rng::with_seed(seed);
        let seeds = [
            r#"{"type":"event","n":12.5,"s":"a\nb","o":{"x":[1,null,true],"y":-7},"u":"é"}"#,
            r#"[{"a":"b"},[],{},"",0,false,"\\"]"#,
            "  {\"k\" : [ 1 , 2 ] } ",
        ];
        let alphabet = b"\"\\{}[]:,0123456789.-eE+ truefalsn\x01\xc3";
        let mut accepted = 0;
        for _ in 0..100_000 {
            let from = seeds[rng.usize(..seeds.len())];
            let Some(text) = bend(&mut rng, from, alphabet) else { continue };
            if accepts(&text) {
                accepted += 1;
                let known: Result<IgnoredAny, _> = serde_json::from_str(&text);
                assert!(known.is_ok(), "seed {seed}: {text}");
            }
        }
        assert!(accepted > 10_000, "seed {seed}: only {accepted} accepted");
    }

    #[test]
    fn depth_is_bounded() {
        let deep = format!("{}{}", "[".repeat(100_000), "]".repeat(100_000));
        assert!(!accepts(&deep));
        assert!(accepts("[[[[[[[[[[]]]]]]]]]]"));
    }
}
