//! Words that repeat: a batch names each stream and each event kind once.

use crate::codec::put;
use crate::codec::take::{Malformed, Take};

/// Words remembered per batch. Looking one up is a linear search, so the table stays short; words
/// beyond it are written in full.
const WORDS_MAX: usize = 64;

const NONE: u64 = 0;
const IN_FULL: u64 = 1;
const FIRST: u64 = 2;

/// Words written so far.
#[derive(Debug, Default)]
pub(crate) struct WordsOut<'a> {
    words: Vec<&'a str>,
    last: usize,
}

impl<'a> WordsOut<'a> {
    pub(crate) fn put(&mut self, out: &mut Vec<u8>, word: Option<&'a str>) {
        let Some(word) = word else { return put::varint(out, NONE) };
        if self.words.get(self.last) == Some(&word) {
            return put::varint(out, FIRST + self.last as u64);
        }
        if let Some(index) = self.words.iter().position(|held| *held == word) {
            self.last = index;
            return put::varint(out, FIRST + index as u64);
        }
        if self.words.len() < WORDS_MAX {
            self.last = self.words.len();
            put::varint(out, FIRST + self.last as u64);
            self.words.push(word);
        } else {
            put::varint(out, IN_FULL);
        }
        put::text(out, word);
    }
}

/// Words read so far, in the type that they are used in: reading one again is a reference count.
#[derive(Debug)]
pub(crate) struct WordsIn<W> {
    words: Vec<W>,
}

impl<W: Clone + for<'a> From<&'a str>> WordsIn<W> {
    pub(crate) fn new() -> Self {
        Self { words: Vec::new() }
    }

    pub(crate) fn take(
        &mut self,
        take: &mut Take,
        what: &'static str,
    ) -> Result<Option<W>, Malformed> {
        let code = take.varint(what)?;
        if code == NONE {
            return Ok(None);
        }
        let index = code.wrapping_sub(FIRST) as usize;
        if code != IN_FULL
            && let Some(word) = self.words.get(index)
        {
            return Ok(Some(word.clone()));
        }
        let is_new = code != IN_FULL;
        if is_new && (index != self.words.len() || index >= WORDS_MAX) {
            return Err(take.fault(what));
        }
        let word = W::from(take.text(what)?);
        if is_new {
            self.words.push(word.clone());
        }
        Ok(Some(word))
    }
}
