//! See `unbroken_fuzz::profile`.
#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| {
    unbroken_fuzz::profile::check(input);
});
