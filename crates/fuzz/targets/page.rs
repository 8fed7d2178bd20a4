//! See `unbroken_fuzz::page`.
#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| {
    unbroken_fuzz::page::check(input);
});
