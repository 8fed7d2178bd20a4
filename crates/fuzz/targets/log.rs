//! See `unbroken_fuzz::log`.
#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| {
    unbroken_fuzz::log::check(input);
});
