//! What a later version wrote is refused, not guessed at.

use unbroken_journal::simdisk::SimDisk;
use unbroken_journal::{FORMAT, ImagePolicy, JournalError, Options, Reader, open};

use crate::cases::{DIR, images, options, path, segments, unit};

fn closed(disk: &SimDisk) {
    let mut opened = open(with_image(disk)).unwrap();
    opened.writer.commit(&[unit("a", 1, b"1")]).unwrap();
    opened.writer.close().unwrap();
}

fn with_image(disk: &SimDisk) -> Options {
    Options { images: ImagePolicy::SealAndClose, ..options(disk) }
}

fn assert_refused(disk: &SimDisk, file: &str) {
    let refused = open(with_image(disk)).unwrap_err();
    let JournalError::NewerFormat { path: named, found, known } = &refused else {
        panic!("{refused}")
    };
    assert_eq!((named, *found, *known), (&path(file), FORMAT + 1, FORMAT));
    assert!(refused.hint().unwrap().contains("newer version"));
}

#[test]
fn a_newer_directory_is_refused() {
    let disk = SimDisk::new();
    closed(&disk);
    let text = String::from_utf8(disk.contents(&path("journal")).unwrap()).unwrap();
    let newer = text.replace(&format!("format {FORMAT}"), &format!("format {}", FORMAT + 1));
    disk.replace(&path("journal"), newer.into_bytes());
    assert_refused(&disk, "journal");
    let reader = Reader::open_on(std::sync::Arc::new(disk), DIR);
    assert!(matches!(reader, Err(JournalError::NewerFormat { .. })));
}

#[test]
fn a_newer_segment_is_refused() {
    let disk = SimDisk::new();
    closed(&disk);
    let name = segments(&disk).remove(0);
    let mut bytes = disk.contents(&path(&name)).unwrap();
    bytes[12] = FORMAT as u8 + 1;
    let crc = crc32c::crc32c(&bytes[12..84]);
    bytes[8..12].copy_from_slice(&crc.to_le_bytes());
    disk.replace(&path(&name), bytes);
    assert_refused(&disk, &name);
}

#[test]
fn a_newer_batch_is_refused() {
    let disk = SimDisk::new();
    closed(&disk);
    let name = segments(&disk).remove(0);
    let mut bytes = disk.contents(&path(&name)).unwrap();
    let salt = u32::from_le_bytes(*bytes[48..].first_chunk().unwrap());
    bytes[84 + 12] = FORMAT as u8 + 1;
    let crc = crc32c::crc32c_append(salt, &bytes[84 + 8..]);
    bytes[84 + 4..84 + 8].copy_from_slice(&crc.to_le_bytes());
    disk.replace(&path(&name), bytes);
    assert_refused(&disk, &name);
}

#[test]
fn a_newer_image_is_refused() {
    let disk = SimDisk::new();
    closed(&disk);
    let name = images(&disk).remove(0);
    let mut bytes = disk.contents(&path(&name)).unwrap();
    bytes[8] = FORMAT as u8 + 1;
    let signed = bytes.len() - 32;
    let hash = *blake3::hash(&bytes[..signed]).as_bytes();
    bytes[signed..].copy_from_slice(&hash);
    disk.replace(&path(&name), bytes);
    assert_refused(&disk, &name);
}
