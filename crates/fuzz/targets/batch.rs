//! See `unbroken_fuzz::batch`.
#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| {
    unbroken_fuzz::batch::check(input);
});
