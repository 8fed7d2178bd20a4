//! The record as rows of typed columns, for files that analysts read: the sink of Parquet files and
//! `unbroken export` write the same.

mod column;
mod csv;
mod parquet;
mod row;

pub(crate) use self::column::{Texts, Values};
pub use self::csv::CsvRows;
pub use self::parquet::{ParquetRows, WriteFailed};
pub use self::row::Row;
