//! What is said of a panic: where, and what the source itself says about it, but no value. A
//! message that was put together while running may hold a payload or a secret; a fixed one cannot.

use std::panic::{self, PanicHookInfo};

/// Takes the place of the standard hook, for every thread of the process.
pub fn install(tell: impl Fn(&str) + Send + Sync + 'static) {
    panic::set_hook(Box::new(move |info| tell(&report(info))));
}

fn report(info: &PanicHookInfo<'_>) -> String {
    let place = info.location().map_or_else(|| "an unknown place".to_owned(), ToString::to_string);
    let what = info.payload().downcast_ref::<&'static str>().copied();
    let what = what.unwrap_or("its message may hold data and is not shown");
    format!(
        "error: unbroken has a bug, and a part of it has stopped at {place}: {what}\n  \
         hint: please report this line; everything acknowledged is on disk\n"
    )
}

#[cfg(test)]
mod tests {
    use std::panic;
    use std::sync::{Arc, Mutex};

    use super::install;

    #[test]
    fn a_panic_tells_its_place_but_no_value() {
        let said = Arc::new(Mutex::new(String::new()));
        let heard = Arc::clone(&said);
        let before = panic::take_hook();
        install(move |text| heard.lock().expect("no one panics with it").push_str(text));
        let secret = "hunter2";
        let formatted = panic::catch_unwind(|| panic!("token {secret} is wrong"));
        let fixed = panic::catch_unwind(|| panic!("a fixed text"));
        panic::set_hook(before);
        assert!(formatted.is_err() && fixed.is_err());
        let said = said.lock().expect("no one panics with it").clone();
        assert!(!said.contains("hunter2"), "{said}");
        assert!(said.contains("panic_report.rs:") && said.contains("a fixed text"), "{said}");
    }
}
