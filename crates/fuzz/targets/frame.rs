//! See `unbroken_fuzz::frame`.
#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| {
    unbroken_fuzz::frame::check(input);
});
