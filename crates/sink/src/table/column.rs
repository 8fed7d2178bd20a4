//! Values of one column, until they are written.

use bytes::Bytes;
use parquet::data_type::{ByteArray, DataType};
use parquet::errors::ParquetError;
use parquet::file::writer::SerializedColumnWriter;

/// Values that are copied; one that is not there has level 0.
#[derive(Debug)]
pub(crate) struct Values<T> {
    values: Vec<T>,
    levels: Vec<i16>,
}

impl<T> Default for Values<T> {
    fn default() -> Self {
        Self { values: Vec::new(), levels: Vec::new() }
    }
}

impl<T> Values<T> {
    pub(crate) fn push(&mut self, value: Option<T>) {
        self.levels.push(i16::from(value.is_some()));
        self.values.extend(value);
    }

    pub(crate) fn write<D: DataType<T = T>>(
        &mut self,
        mut column: SerializedColumnWriter<'_>,
    ) -> Result<(), ParquetError> {
        column.typed::<D>().write_batch(&self.values, Some(&self.levels), None)?;
        self.values.clear();
        self.levels.clear();
        column.close()
    }
}

/// Texts, one behind the other in one piece of memory.
#[derive(Debug, Default)]
pub(crate) struct Texts {
    bytes: Vec<u8>,
    ends: Vec<usize>,
    levels: Vec<i16>,
}

impl Texts {
    pub(crate) fn push(&mut self, text: Option<&str>) {
        self.levels.push(i16::from(text.is_some()));
        if let Some(text) = text {
            self.bytes.extend_from_slice(text.as_bytes());
            self.ends.push(self.bytes.len());
        }
    }

    pub(crate) fn write(
        &mut self,
        mut column: SerializedColumnWriter<'_>,
    ) -> Result<(), ParquetError> {
        let bytes = Bytes::from(std::mem::take(&mut self.bytes));
        let mut begin = 0;
        let values: Vec<ByteArray> = self
            .ends
            .drain(..)
            .map(|end| ByteArray::from(bytes.slice(std::mem::replace(&mut begin, end)..end)))
            .collect();
        let texts = column.typed::<parquet::data_type::ByteArrayType>();
        texts.write_batch(&values, Some(&self.levels), None)?;
        self.levels.clear();
        column.close()
    }
}
