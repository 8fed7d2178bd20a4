//! From when until when a certificate is valid. Read here because no library in the tree tells it,
//! and "expired on 2026-03-01" is worth more to a person than the vendor's alert.

use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::tz::TimeZone;

const INTEGER: u8 = 0x02;
const UTC_TIME: u8 = 0x17;
const GENERALIZED_TIME: u8 = 0x18;
const SEQUENCE: u8 = 0x30;
const VERSION: u8 = 0xa0;

/// `notBefore` and `notAfter` of an X.509 certificate (RFC 5280, 4.1). `None`: it is none.
pub(crate) fn validity(der: &[u8]) -> Option<(Timestamp, Timestamp)> {
    let (certificate, _) = element(der, SEQUENCE)?;
    let (mut fields, _) = element(certificate, SEQUENCE)?;
    // The version may be left out; number, algorithm and issuer may not.
    if let Some((_, rest)) = element(fields, VERSION) {
        fields = rest;
    }
    for tag in [INTEGER, SEQUENCE, SEQUENCE] {
        fields = element(fields, tag)?.1;
    }
    let (dates, _) = element(fields, SEQUENCE)?;
    let (from, rest) = time(dates)?;
    let (until, _) = time(rest)?;
    Some((from, until))
}

/// The content of the first element, if it has this tag, and what follows it (X.690, 8.1).
fn element(der: &[u8], tag: u8) -> Option<(&[u8], &[u8])> {
    let (&[found, first], mut rest) = der.split_first_chunk::<2>()?;
    if found != tag {
        return None;
    }
    let length = match first {
        0..=0x7f => usize::from(first),
        0x81..=0x84 => {
            let (bytes, behind) = rest.split_at_checked(usize::from(first & 0x0f))?;
            rest = behind;
            bytes.iter().fold(0, |length, byte| length << 8 | usize::from(*byte))
        }
        _ => return None,
    };
    rest.split_at_checked(length)
}

fn time(der: &[u8]) -> Option<(Timestamp, &[u8])> {
    let (text, rest, full) = match element(der, UTC_TIME) {
        Some((text, rest)) => {
            let text = std::str::from_utf8(text).ok()?;
            // Two digits: 1950 to 2049 (RFC 5280, 4.1.2.5.1).
            let century = if text.get(..2)? < "50" { "20" } else { "19" };
            (text, rest, format!("{century}{text}"))
        }
        None => {
            let (text, rest) = element(der, GENERALIZED_TIME)?;
            let text = std::str::from_utf8(text).ok()?;
            (text, rest, text.to_owned())
        }
    };
    text.ends_with('Z').then_some(())?;
    let civil = DateTime::strptime("%Y%m%d%H%M%SZ", full).ok()?;
    Some((TimeZone::UTC.to_timestamp(civil).ok()?, rest))
}

#[cfg(test)]
mod tests {
    use rcgen::{CertificateParams, KeyPair, date_time_ymd};

    use super::*;

    fn certificate(from: i32, until: i32) -> Vec<u8> {
        let mut params = CertificateParams::new(vec!["x".to_owned()]).unwrap();
        params.not_before = date_time_ymd(from, 1, 2);
        params.not_after = date_time_ymd(until, 3, 4);
        params.self_signed(&KeyPair::generate().unwrap()).unwrap().der().to_vec()
    }

    #[test]
    fn both_dates_are_read_in_both_of_their_forms() {
        for (from, until) in [(1999, 2026), (2026, 2055), (2050, 2100)] {
            let (read_from, read_until) = validity(&certificate(from, until)).unwrap();
            assert_eq!(read_from.to_string(), format!("{from}-01-02T00:00:00Z"));
            assert_eq!(read_until.to_string(), format!("{until}-03-04T00:00:00Z"));
        }
    }

    #[test]
    fn no_bytes_make_it_fall() {
        let whole = certificate(2026, 2027);
        for end in 0..whole.len().min(300) {
            let _: Option<_> = validity(&whole[..end]);
            let mut flipped = whole.clone();
            flipped[end] = !flipped[end];
            let _: Option<_> = validity(&flipped);
        }
        assert_eq!(validity(b"not a certificate"), None);
    }
}
