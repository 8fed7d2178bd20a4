//! See `unbroken_fuzz::image`.
#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| {
    unbroken_fuzz::image::check(input);
});
