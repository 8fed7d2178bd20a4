//! The profiles that are embedded in the binary.

use std::sync::LazyLock;

use toml::Table;
use unbroken_connect::generic::{Generic, embedded, embedded_names};

/// One profile, with the keys that a user may name and without.
pub(crate) struct Vendor {
    pub(crate) name: &'static str,
    pub(crate) generic: Generic,
}

/// Each embedded profile twice: the digit that an input begins with chooses one.
pub(crate) static VENDORS: LazyLock<Vec<Vendor>> = LazyLock::new(|| {
    let read = |name: &'static str| {
        let text = embedded(name).unwrap_or_default();
        [false, true].map(|keyed| {
            let generic = Generic::from_toml(text, Table::new(), keyed);
            generic.map(|generic| Vendor { name, generic })
        })
    };
    let vendors = embedded_names().flat_map(read).collect::<Result<Vec<_>, _>>();
    vendors.unwrap_or_else(|error| panic!("an embedded profile cannot be read: {error}"))
});

/// The profile that the first byte chooses, and the rest.
pub(crate) fn chosen(input: &[u8]) -> Option<(&'static Vendor, &[u8])> {
    let (choice, rest) = input.split_first()?;
    let vendors = &*VENDORS;
    let vendor = vendors.get(usize::from(choice.wrapping_sub(b'0')) % vendors.len())?;
    Some((vendor, rest))
}
