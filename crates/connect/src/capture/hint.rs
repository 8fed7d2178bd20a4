//! Guesses at what a profile should have said, from what is there.

use unbroken_core::ids::Label;

use crate::generic::{FrameKind, FrameRule, Profile, kind, members, nearest, scalar, split_member};

/// Places looked at in one text, and how deep.
const PLACES_MAX: usize = 512;
const DEPTH_MAX: u32 = 8;

/// A place in a JSON text: its pointer, and what is there.
struct Spot<'a> {
    pointer: String,
    raw: &'a str,
}

/// What to change so that a frame is known.
pub(super) fn of_unknown(text: &str, profile: &Profile) -> Option<String> {
    let spots = spots(text);
    let at = |pointer: &str| spots.iter().find(|spot| spot.pointer == pointer);
    let holds = |rule: &FrameRule| {
        at(&rule.at).is_some_and(|spot| match &rule.equals {
            Some(wanted) => scalar(spot.raw).as_deref() == Some(wanted.0.as_str()),
            None => true,
        })
    };
    let kinds = &profile.frames.kinds;
    let events = |rule: &&FrameRule| matches!(rule.is, FrameKind::Event | FrameKind::Deletion);
    if let (Some(items), true) =
        (&profile.frames.event.items, kinds.iter().filter(events).any(holds))
    {
        let list = |raw: &str| raw.starts_with('[');
        let near = near(&spots, items, list).or_else(|| only(&spots, list));
        return Some(instead("frames.event.items", items, near));
    }
    for rule in kinds {
        let wanted = rule.equals.as_ref().map(|wanted| wanted.0.as_str());
        let wanted = wanted.filter(|wanted| wanted.len() > 2 && *wanted != "true");
        let moved = spots.iter().find(|s| wanted.is_some() && scalar(s.raw).as_deref() == wanted);
        if let (Some(spot), Some(wanted)) = (moved, wanted) {
            let Spot { pointer, .. } = spot;
            return Some(format!(
                "`frames.kinds` look for `{wanted}` at `{}`; it is at `{pointer}`",
                rule.at
            ));
        }
    }
    let rule = kinds.first()?;
    match at(&rule.at) {
        Some(_) => Some(format!("no rule of `frames.kinds` names what is at `{}`", rule.at)),
        None => Some(instead("frames.kinds", &rule.at, near(&spots, &rule.at, |_| true))),
    }
}

/// What to change so that an event is understood. `reason` is that of the poison.
pub(super) fn of_poison(text: &str, reason: &Label) -> Option<String> {
    let (pointer, wanted) = reason.as_str().strip_prefix("event")?.split_once(": expected ")?;
    let fits = fitting(wanted);
    let pointer = pointer.strip_prefix("outer:").unwrap_or(pointer);
    near(&spots(text), pointer, fits).map(|found| format!("did you mean `{found}`?"))
}

/// What to change so that a page is understood. `what` is that of the failure.
pub(super) fn of_page(text: &str, what: &str, profile: &Profile) -> Option<String> {
    let (place, wanted) = what.split_once(": expected ")?;
    let snapshot = profile.snapshot.as_ref();
    let (key, pointer) = match (place, wanted) {
        ("head", _) => ("head.tag", profile.head.as_ref()?.tag.as_str()),
        ("snapshot", w) if w.contains("rows") => {
            ("snapshot.rows.items", snapshot?.rows.items.as_str())
        }
        ("snapshot", _) => ("snapshot.tag", snapshot?.tag.as_deref()?),
        (_, w) if w.contains("key") => ("snapshot.rows.key", snapshot?.rows.key.as_str()),
        (_, w) if w.contains("version") => {
            ("snapshot.rows.version", snapshot?.rows.version.as_deref()?)
        }
        _ => ("snapshot.rows.payload", snapshot?.rows.payload.as_str()),
    };
    let fits: fn(&str) -> bool = match wanted.contains("rows") {
        true => |raw| raw.starts_with('['),
        false => fitting(wanted),
    };
    let spots = spots(text);
    let only = || only(&spots, fits).filter(|_| wanted.contains("rows"));
    Some(instead(key, pointer, near(&spots, pointer, fits).or_else(only)))
}

fn fitting(wanted: &str) -> fn(&str) -> bool {
    if wanted.contains("64-bit") {
        |raw| scalar(raw).is_some_and(|text| text.bytes().any(|byte| byte.is_ascii_digit()))
    } else if wanted.contains("key") {
        |raw| matches!(kind(raw), "text" | "number")
    } else {
        |raw| kind(raw) != "null"
    }
}

fn instead(key: &str, pointer: &str, near: Option<String>) -> String {
    match near {
        Some(near) => format!("`{key}` points at `{pointer}`; did you mean `{near}`?"),
        None => format!("`{key}` points at `{pointer}`, which is not there"),
    }
}

/// The place that is probably meant: of the same name elsewhere, of the same name written
/// otherwise, or of a name that is close.
fn near(spots: &[Spot<'_>], pointer: &str, fits: impl Fn(&str) -> bool) -> Option<String> {
    let name = last(pointer);
    let fitting = || spots.iter().filter(|s| s.pointer != pointer && fits(s.raw));
    let shortest = |same: &dyn Fn(&str) -> bool| {
        let named = fitting().filter(|spot| same(last(&spot.pointer)));
        named.min_by_key(|spot| spot.pointer.matches('/').count()).map(|s| s.pointer.clone())
    };
    let plain = |name: &str| name.to_ascii_lowercase().replace(['_', '-'], "");
    shortest(&|other| other == name)
        .or_else(|| shortest(&|other| plain(other) == plain(name)))
        .or_else(|| {
            let close = nearest(name, fitting().map(|spot| last(&spot.pointer)))?;
            shortest(&|other| other == close)
        })
}

/// The one place that fits, if there is but one.
fn only(spots: &[Spot<'_>], fits: impl Fn(&str) -> bool) -> Option<String> {
    let mut fitting = spots.iter().filter(|spot| fits(spot.raw));
    let first = fitting.next()?;
    fitting.next().is_none().then(|| first.pointer.clone())
}

fn last(pointer: &str) -> &str {
    pointer.rsplit('/').next().unwrap_or_default()
}

/// Every place in a text; of an array the first element stands for all.
fn spots(text: &str) -> Vec<Spot<'_>> {
    let mut spots = Vec::new();
    if serde_json::from_str::<serde::de::IgnoredAny>(text).is_ok() {
        push(&mut spots, String::new(), text.trim_ascii(), 0);
    }
    spots
}

fn push<'a>(spots: &mut Vec<Spot<'a>>, pointer: String, raw: &'a str, depth: u32) {
    if spots.len() >= PLACES_MAX {
        return;
    }
    let inside = raw.get(1..raw.len().saturating_sub(1)).unwrap_or_default();
    let below = depth < DEPTH_MAX && raw.starts_with(['{', '[']);
    spots.push(Spot { pointer: pointer.clone(), raw });
    if !below {
        return;
    }
    if raw.starts_with('[') {
        if let Some(first) = members(inside).first() {
            push(spots, format!("{pointer}/0"), first.trim_ascii(), depth + 1);
        }
        return;
    }
    for member in members(inside) {
        let Some((name, value)) = split_member(member) else { return };
        let name = name.replace('~', "~0").replace('/', "~1");
        push(spots, format!("{pointer}/{name}"), value.trim_ascii(), depth + 1);
    }
}
