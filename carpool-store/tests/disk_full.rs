//! A real disk that is full, where this machine lets us mount one.
#![expect(clippy::unwrap_used, reason = "helpers of tests")]
#![cfg(target_os = "linux")]
mod common;

use carpool_store::{BlockStore, Error};
use common::{blocks, cids, data, open};
use std::{fs, path::Path, process::Command};

struct Mounted(tempfile::TempDir);

impl Mounted {
    fn tmpfs(size: &str) -> Option<Self> {
        let folder = tempfile::tempdir().unwrap();
        let mut mount = Command::new("mount");
        mount.args(["-t", "tmpfs", "-o", size, "tmpfs"]).arg(folder.path());
        let mounted = mount.output().is_ok_and(|output| output.status.success());
        mounted.then_some(Self(folder))
    }

    fn path(&self) -> &Path {
        self.0.path()
    }
}

impl Drop for Mounted {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg(self.path()).status();
    }
}

#[test]
fn a_full_disk_is_named_and_the_store_goes_on_when_there_is_room() {
    let Some(disk) = Mounted::tmpfs("size=3m") else {
        eprintln!("skipped: tmpfs cannot be mounted here");
        return;
    };
    let ballast = disk.path().join("ballast");
    fs::write(&ballast, vec![1; 1 << 20]).unwrap();
    let store = open(disk.path());
    let all = blocks(0..200, 20_000);
    let mut acknowledged = 0;
    let error = all.iter().find_map(|block| match store.put(block) {
        Ok(()) => {
            acknowledged += 1;
            None
        }
        Err(error) => Some(error),
    });
    assert!(matches!(error, Some(Error::DiskFull { .. })), "{error:?}");
    assert!(acknowledged > 50);
    assert_eq!(store.get_many(&cids(&all[..acknowledged])).unwrap(), data(&all[..acknowledged]));
    common::check_cars(disk.path(), acknowledged);

    fs::remove_file(ballast).unwrap();
    store.put_many(&all[acknowledged..acknowledged + 20]).unwrap();
    drop(store);
    let held = &all[..acknowledged + 20];
    assert_eq!(open(disk.path()).get_many(&cids(held)).unwrap(), data(held));
}
