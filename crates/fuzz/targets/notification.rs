//! See `unbroken_fuzz::notification`.
#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| {
    unbroken_fuzz::notification::check(input);
});
