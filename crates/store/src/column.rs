//! How the record's values are laid into SQLite's columns, and read back.

use rusqlite::Row;
use rusqlite::types::{ToSqlOutput, Type, ValueRef};
use unbroken_core::ids::Label;
use unbroken_core::position::{Epoch, Position};
use unbroken_core::time::UnixMicros;

use crate::words::Word;

/// An unsigned number in SQLite's signed column, without loss; above `i64::MAX` it shows negative.
pub(crate) fn signed(number: u64) -> i64 {
    number.cast_signed()
}

/// The inverse of [`signed`].
pub(crate) fn unsigned(number: i64) -> u64 {
    number.cast_unsigned()
}

/// The two columns of a position.
pub(crate) fn split(position: Option<Position>) -> (Option<u32>, Option<i64>) {
    (position.map(|p| p.epoch.0), position.map(|p| signed(p.sequence)))
}

/// The inverse of [`split`], from two neighbouring columns.
pub(crate) fn position(row: &Row<'_>, epoch: usize) -> rusqlite::Result<Option<Position>> {
    let sequence: Option<i64> = row.get(epoch + 1)?;
    let epoch: Option<u32> = row.get(epoch)?;
    Ok(epoch.zip(sequence).map(|(epoch, sequence)| Position::new(Epoch(epoch), unsigned(sequence))))
}

/// A payload as TEXT where it is UTF-8, so that every SQLite tool shows it and its JSON functions
/// take it, else as BLOB. Borrowed: no copy is made here.
pub(crate) fn payload(bytes: &[u8]) -> ToSqlOutput<'_> {
    match std::str::from_utf8(bytes) {
        Ok(_) => ToSqlOutput::Borrowed(ValueRef::Text(bytes)),
        Err(_) => ToSqlOutput::Borrowed(ValueRef::Blob(bytes)),
    }
}

/// The inverse of [`payload`]: the bytes of either kind.
pub(crate) fn bytes<'a>(row: &'a Row<'_>, column: usize) -> rusqlite::Result<&'a [u8]> {
    match row.get_ref(column)? {
        ValueRef::Text(bytes) | ValueRef::Blob(bytes) => Ok(bytes),
        other => {
            Err(rusqlite::Error::InvalidColumnType(column, "payload".to_owned(), other.data_type()))
        }
    }
}

/// A digest, as its sixteen big-endian bytes.
pub(crate) fn digest(row: &Row<'_>, column: usize) -> rusqlite::Result<u128> {
    Ok(u128::from_be_bytes(row.get(column)?))
}

/// A time, where there is one.
pub(crate) fn micros(row: &Row<'_>, column: usize) -> rusqlite::Result<Option<UnixMicros>> {
    Ok(row.get::<_, Option<i64>>(column)?.map(UnixMicros))
}

/// A short text, where there is one.
pub(crate) fn label(row: &Row<'_>, column: usize) -> rusqlite::Result<Option<Label>> {
    Ok(row.get::<_, Option<String>>(column)?.map(Label::new))
}

/// A word that an earlier or later release may have written and this one does not know.
#[derive(Debug, thiserror::Error)]
#[error("unknown word")]
struct UnknownWord;

/// What a word stands for.
pub(crate) fn word<T: Word>(row: &Row<'_>, column: usize) -> rusqlite::Result<T> {
    let text = row
        .get_ref(column)?
        .as_str()
        .map_err(|_| rusqlite::Error::InvalidColumnType(column, "word".to_owned(), Type::Text))?;
    T::from_word(text).ok_or_else(|| {
        rusqlite::Error::FromSqlConversionFailure(column, Type::Text, Box::new(UnknownWord))
    })
}
