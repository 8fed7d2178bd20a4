//! The canonical form of a text as vendors write it, in one pass. What it gives up on is left to
//! the slow way of `digest`, which gives the same form for every text.

use crate::generic::scan::{DEPTH_MAX, Opening, Scan};

/// Objects with more members are left to the slow way: members are sorted on the stack.
const MEMBERS_MAX: usize = 32;

/// Appends the canonical form; `None`: not for this way, and nothing was appended.
pub(super) fn put(out: &mut String, text: &str) -> Option<()> {
    let before = out.len();
    let mut scan = Scan::new(text);
    scan.space();
    let done = put_value(out, &mut scan, 0).filter(|()| scan.is_done());
    if done.is_none() {
        out.truncate(before);
    }
    done
}

fn put_value(out: &mut String, scan: &mut Scan<'_>, depth: u32) -> Option<()> {
    let begin = scan.place();
    match scan.opening().filter(|_| depth < DEPTH_MAX)? {
        Opening::Object => {
            scan.take(b'{');
            put_members(out, scan, depth)
        }
        Opening::Array => {
            scan.take(b'[');
            out.push('[');
            let mut is_first = true;
            while scan.item(is_first)? {
                if !is_first {
                    out.push(',');
                }
                put_value(out, scan, depth + 1)?;
                is_first = false;
            }
            out.push(']');
            Some(())
        }
        Opening::Scalar => {
            scan.scalar()?;
            put_scalar(out, scan.since(begin)?)
        }
    }
}

/// Escapes have more than one form.
fn put_scalar(out: &mut String, raw: &str) -> Option<()> {
    let is_plain = !raw.starts_with('"') || !raw.contains('\\');
    is_plain.then(|| out.push_str(raw))
}

fn put_members(out: &mut String, scan: &mut Scan<'_>, depth: u32) -> Option<()> {
    let mut members = [("", ""); MEMBERS_MAX];
    let mut count = 0;
    while let Some(name) = scan.member(count == 0)? {
        *members.get_mut(count)? = (name, scan.value(depth + 1)?);
        count += 1;
    }
    let members = members.get_mut(..count)?;
    // Stable: of equal names the last one written stays last.
    members.sort_by_key(|(name, _)| *name);
    out.push('{');
    let mut separator = "";
    for (index, (name, value)) in members.iter().enumerate() {
        if members.get(index + 1).is_some_and(|(next, _)| next == name) {
            continue;
        }
        out.push_str(separator);
        separator = ",";
        out.push('"');
        out.push_str(name);
        out.push_str("\":");
        if value.starts_with(['{', '[']) {
            put_value(out, &mut Scan::new(value), depth + 1)?;
        } else {
            put_scalar(out, value)?;
        }
    }
    out.push('}');
    Some(())
}
