//! Answers of a REST API: `<digit of the profile><what was asked><status><header line>\n<body>`.

use bytes::Bytes;
use unbroken_connect::generic::{Context, Reply};
use unbroken_core::connector::{Failure, Page};
use unbroken_core::ids::{Key, Label};
use unbroken_core::machine::Fetch;

use crate::vendors::{Vendor, chosen};

/// Statuses that an answer may have: those that profiles treat in a way of their own, and some.
const STATUSES: &[u16] = &[200, 204, 206, 304, 400, 401, 403, 404, 409, 410, 429, 500, 503];

/// Whatever is answered: it is read without a panic, twice the same; a row has a key; where there
/// is a next page, the request for it is a path.
pub fn check(input: &[u8]) -> bool {
    let Some((vendor, rest)) = chosen(input) else { return false };
    let Some((&[what, status], rest)) = rest.split_first_chunk::<2>() else { return false };
    let (header, body) = match rest.iter().position(|byte| *byte == b'\n') {
        Some(end) => (&rest[..end], &rest[end + 1..]),
        None => (&rest[..0], rest),
    };
    let what = match what % 3 {
        0 => Fetch::First,
        1 => Fetch::Head,
        _ => Fetch::Next(Label::from("2")),
    };
    let status = STATUSES[usize::from(status.wrapping_sub(b'0')) % STATUSES.len()];
    let header = String::from_utf8_lossy(header).into_owned();
    let answer = Answer { what, status, header, body: Bytes::copy_from_slice(body) };
    let read = answer.read(vendor);
    assert_eq!(read, answer.read(vendor), "{}: two readings differ", vendor.name);
    read.is_ok_and(|page| {
        check_page(vendor, &page);
        !page.rows.is_empty()
    })
}

struct Answer {
    what: Fetch,
    status: u16,
    /// The value of every header that is asked for.
    header: String,
    body: Bytes,
}

impl Answer {
    fn read(&self, vendor: &Vendor) -> Result<Page, Failure> {
        let header = |_: &str| (!self.header.is_empty()).then(|| self.header.clone());
        let reply = Reply { status: self.status, body: &self.body, header: &header };
        match self.status {
            200..=299 => vendor.generic.page_of(&self.what, reply, &[Key::from("agent-1")]),
            status => Err(vendor.generic.classify_status(status, None, &self.body)),
        }
    }
}

fn check_page(vendor: &Vendor, page: &Page) {
    let name = vendor.name;
    for row in &page.rows {
        assert!(!row.key.as_str().is_empty(), "{name}: a row without a key");
    }
    if let Some(next) = &page.next {
        let what = Fetch::Next(next.clone());
        let _ = vendor.generic.next_url(&what);
        let request = vendor.generic.fetch(&what, Context::default());
        if let Ok(request) = request {
            let path = request.path_and_query;
            assert!(path.starts_with('/'), "{name}: the next page is no path");
            let is_plain = path.bytes().all(|byte| byte.is_ascii_graphic());
            assert!(is_plain, "{name}: what a vendor said is not encoded in the next request");
        }
    }
}
