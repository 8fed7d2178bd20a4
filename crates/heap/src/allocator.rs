//! How the binary asks the platform's allocator to give memory back.
//!
//! A service runs for months. A stall of the disk or a flood after an outage takes megabytes for
//! some seconds, in large buffers. The GNU C library raises, each time that such a buffer is freed,
//! the size from which it asks the kernel for one by itself, up to 32 MiB: later buffers come from
//! the heap, lie between things that live long, and are never given back. Fixed, the size stays
//! what it was at the beginning, and a buffer that is freed is gone.

/// Buffers from here on are asked of the kernel one by one, in bytes: what the GNU C library begins
/// with itself.
const MAPPED_BYTES_MIN: i32 = 128 * 1024;

/// Heaps for all threads together. Each keeps what its own worst moment took; there are few threads
/// and they allocate little at once, so that two are no bottleneck.
const HEAPS_MAX: i32 = 2;

/// Sets the allocator up. Called first in `main`, before there is another thread. Where the
/// platform has another allocator, nothing happens.
#[cfg(all(target_os = "linux", target_env = "gnu"))]
#[expect(unsafe_code, reason = "the C library has no other door to its allocator")]
pub fn settle() {
    // SAFETY: `mallopt` takes two numbers and keeps no pointer; it must not run beside an
    // allocation of another thread, and there is none yet. What it refuses changes nothing.
    unsafe {
        libc::mallopt(libc::M_MMAP_THRESHOLD, MAPPED_BYTES_MIN);
        libc::mallopt(libc::M_ARENA_MAX, HEAPS_MAX);
    }
}

/// See above.
#[cfg(not(all(target_os = "linux", target_env = "gnu")))]
pub fn settle() {
    let _ = (MAPPED_BYTES_MIN, HEAPS_MAX);
}
