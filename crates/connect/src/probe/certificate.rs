//! Who issued a certificate and until when it is valid: the few fields of X.509 that a person asks
//! for. The chain has been verified by the TLS library before; this only reads.

/// What a certificate says of itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Certificate {
    /// The issuer's common name, else its organisation.
    pub(super) issuer: Option<String>,
    /// The end of its validity, in seconds of Unix time.
    pub(super) ends_at_s: i64,
}

// Tags of DER (X.690, 8.1.2) and object identifiers of names (X.520).
const SEQUENCE: u8 = 0x30;
const SET: u8 = 0x31;
const OBJECT: u8 = 0x06;
const UTC_TIME: u8 = 0x17;
const GENERALIZED_TIME: u8 = 0x18;
const VERSION: u8 = 0xa0;
const COMMON_NAME: &[u8] = &[0x55, 0x04, 0x03];
const ORGANISATION: &[u8] = &[0x55, 0x04, 0x0a];

impl Certificate {
    /// Reads a certificate in DER; `None` if it is none.
    pub(super) fn read(der: &[u8]) -> Option<Self> {
        let (mut outer, _) = expect(der, SEQUENCE)?;
        let (mut fields, _) = expect(outer, SEQUENCE)?;
        outer = fields;
        if let Some((_, rest)) = expect(outer, VERSION) {
            fields = rest;
        }
        // Serial number and algorithm of the signature.
        let (_, _, rest) = element(fields)?;
        let (_, rest) = expect(rest, SEQUENCE)?;
        let (issuer, rest) = expect(rest, SEQUENCE)?;
        let (validity, _) = expect(rest, SEQUENCE)?;
        let (_, _, rest) = element(validity)?;
        let (tag, end, _) = element(rest)?;
        let issuer = name(issuer, COMMON_NAME).or_else(|| name(issuer, ORGANISATION));
        Some(Self { issuer, ends_at_s: time(tag, end)? })
    }
}

/// Tag, contents, and what follows.
fn element(der: &[u8]) -> Option<(u8, &[u8], &[u8])> {
    let (tag, rest) = der.split_first()?;
    let (first, mut rest) = rest.split_first()?;
    let mut length = usize::from(*first);
    if length >= 0x80 {
        let (digits, after) = rest.split_at_checked(length & 0x7f)?;
        if digits.len() > 4 {
            return None;
        }
        length = digits.iter().fold(0, |sum, digit| sum << 8 | usize::from(*digit));
        rest = after;
    }
    let (contents, rest) = rest.split_at_checked(length)?;
    Some((*tag, contents, rest))
}

fn expect(der: &[u8], wanted: u8) -> Option<(&[u8], &[u8])> {
    let (tag, contents, rest) = element(der)?;
    (tag == wanted).then_some((contents, rest))
}

/// The attribute of a name: a sequence of sets of pairs.
fn name(mut sets: &[u8], wanted: &[u8]) -> Option<String> {
    while let Some((set, rest)) = expect(sets, SET) {
        let (pair, _) = expect(set, SEQUENCE)?;
        let (object, value) = expect(pair, OBJECT)?;
        if object == wanted {
            let (_, text, _) = element(value)?;
            let text = String::from_utf8_lossy(text);
            return Some(text.chars().filter(|c| !c.is_control()).collect());
        }
        sets = rest;
    }
    None
}

/// `YYMMDDHHMMSSZ` (50 and above: the last century, RFC 5280, 4.1.2.5.1) or with four digits.
fn time(tag: u8, text: &[u8]) -> Option<i64> {
    let text = std::str::from_utf8(text).ok()?.strip_suffix('Z')?;
    let full = match tag {
        UTC_TIME => {
            let year: u8 = text.get(..2)?.parse().ok()?;
            format!("{}{text}", if year >= 50 { "19" } else { "20" })
        }
        GENERALIZED_TIME => text.to_owned(),
        _ => return None,
    };
    let civil = jiff::civil::DateTime::strptime("%Y%m%d%H%M%S", full).ok()?;
    Some(jiff::tz::TimeZone::UTC.to_timestamp(civil).ok()?.as_second())
}

#[cfg(test)]
mod tests {
    use rcgen::{CertificateParams, DnType, KeyPair, date_time_ymd};

    use super::Certificate;

    fn certificate(year: i32, name: &str) -> Vec<u8> {
        let mut params = CertificateParams::new(vec!["localhost".to_owned()]).unwrap();
        params.not_after = date_time_ymd(year, 3, 4);
        params.distinguished_name.push(DnType::OrganizationName, "House");
        params.distinguished_name.push(DnType::CommonName, name);
        params.self_signed(&KeyPair::generate().unwrap()).unwrap().der().to_vec()
    }

    #[test]
    fn issuer_and_end_are_read_in_both_spellings_of_time() {
        // 2049 is the last year of the short spelling.
        for (year, ends_at_s) in [(2049, 2_498_428_800), (2050, 2_529_964_800)] {
            let read = Certificate::read(&certificate(year, "Unit \u{fc}")).unwrap();
            assert_eq!(read, Certificate { issuer: Some("Unit \u{fc}".into()), ends_at_s });
        }
    }

    #[test]
    fn what_is_no_certificate_is_refused_wherever_it_ends() {
        let whole = certificate(2030, "x");
        for end in 0..whole.len() {
            assert_eq!(Certificate::read(&whole[..end]), None, "{end}");
        }
        let seed = fastrand::u64(..);
        println!("seed {seed}");
        let mut dice = fastrand::Rng::with_seed(seed);
        for _ in 0..2_000 {
            let mut broken = whole.clone();
            let at = dice.usize(..broken.len());
            broken[at] = dice.u8(..);
            // It may still be one; it must not panic.
            let _ = Certificate::read(&broken);
        }
    }
}
