//! A folder that is written into by its handle: no path of any length leads elsewhere, and no
//! symbolic link is followed.

use std::{fs::File, io, path::Path};

/// What a name in a folder stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    File,
    Folder,
    Symlink,
    Other,
}

#[cfg(unix)]
pub(crate) use by_handle::Folder;
#[cfg(not(unix))]
pub(crate) use by_path::Folder;

#[cfg(unix)]
mod by_handle {
    use super::{File, Kind, Path, io};
    use rustix::{
        fd::OwnedFd,
        fs::{self, AtFlags, FileType, Mode, OFlags},
        io::Errno,
    };

    /// A folder.
    #[derive(Debug)]
    pub(crate) struct Folder(OwnedFd);

    const FOLDER: OFlags =
        OFlags::RDONLY.union(OFlags::DIRECTORY).union(OFlags::NOFOLLOW).union(OFlags::CLOEXEC);

    impl Folder {
        /// The folder that the user named: that may be a link to one.
        pub(crate) fn open(path: &Path) -> io::Result<Self> {
            let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
            Ok(Self(fs::open(path, flags, Mode::empty())?))
        }

        /// The folder `name` in this one, made where there is none.
        pub(crate) fn enter(&self, name: &str) -> io::Result<Self> {
            match fs::mkdirat(&self.0, name, Mode::from_raw_mode(0o777)) {
                Ok(()) | Err(Errno::EXIST) => {}
                Err(error) => return Err(error.into()),
            }
            match fs::openat(&self.0, name, FOLDER, Mode::empty()) {
                // What systems say of a symbolic link.
                Err(Errno::LOOP | Errno::MLINK) => Err(io::ErrorKind::NotADirectory.into()),
                opened => Ok(Self(opened?)),
            }
        }

        /// The folder that this one is in.
        pub(crate) fn parent(&self) -> io::Result<Self> {
            Ok(Self(fs::openat(&self.0, "..", FOLDER, Mode::empty())?))
        }

        /// Device and file number.
        pub(crate) fn id(&self) -> io::Result<(u64, u64)> {
            use std::os::unix::fs::MetadataExt;
            let found = self.handle()?.metadata()?;
            Ok((found.dev(), found.ino()))
        }

        /// The folder as what times and permissions are put on.
        pub(crate) fn handle(&self) -> io::Result<File> {
            Ok(File::from(self.0.try_clone()?))
        }

        /// A new file.
        pub(crate) fn create(&self, name: &str) -> io::Result<File> {
            let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW;
            let mode = Mode::from_raw_mode(0o666);
            Ok(File::from(fs::openat(&self.0, name, flags | OFlags::CLOEXEC, mode)?))
        }

        /// A file that is there.
        pub(crate) fn read(&self, name: &str) -> io::Result<File> {
            let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
            Ok(File::from(fs::openat(&self.0, name, flags, Mode::empty())?))
        }

        /// What `name` stands for; `None` where it is free.
        pub(crate) fn kind(&self, name: &str) -> io::Result<Option<Kind>> {
            let found = match fs::statat(&self.0, name, AtFlags::SYMLINK_NOFOLLOW) {
                Ok(found) => found,
                Err(Errno::NOENT) => return Ok(None),
                Err(error) => return Err(error.into()),
            };
            let kind = FileType::from_raw_mode(found.st_mode);
            Ok(Some(if kind.is_file() {
                Kind::File
            } else if kind.is_dir() {
                Kind::Folder
            } else if kind.is_symlink() {
                Kind::Symlink
            } else {
                Kind::Other
            }))
        }

        /// A new symbolic link.
        pub(crate) fn symlink(&self, target: &[u8], name: &str) -> io::Result<()> {
            Ok(fs::symlinkat(target, &self.0, name)?)
        }

        /// Where a symbolic link leads.
        pub(crate) fn read_link(&self, name: &str) -> io::Result<Vec<u8>> {
            Ok(fs::readlinkat(&self.0, name, Vec::new())?.into_bytes())
        }

        /// Moves the file `from` of this folder to `to` in `other`, over what is there.
        pub(crate) fn rename(&self, from: &str, other: &Self, to: &str) -> io::Result<()> {
            Ok(fs::renameat(&self.0, from, &other.0, to)?)
        }

        /// Removes a file or link, if there is one.
        pub(crate) fn remove(&self, name: &str) -> io::Result<()> {
            match fs::unlinkat(&self.0, name, AtFlags::empty()) {
                Ok(()) | Err(Errno::NOENT) => Ok(()),
                Err(error) => Err(error.into()),
            }
        }
    }
}

#[cfg(not(unix))]
mod by_path {
    use super::{File, Kind, Path, io};
    use std::{fs, path::PathBuf};

    /// A folder.
    #[derive(Debug)]
    pub(crate) struct Folder(PathBuf);

    impl Folder {
        pub(crate) fn open(path: &Path) -> io::Result<Self> {
            fs::read_dir(path)?;
            Ok(Self(path.to_path_buf()))
        }

        pub(crate) fn enter(&self, name: &str) -> io::Result<Self> {
            let path = self.0.join(name);
            match self.kind(name)? {
                None => fs::create_dir(&path)?,
                Some(Kind::Folder) => {}
                Some(_) => return Err(io::ErrorKind::NotADirectory.into()),
            }
            Ok(Self(path))
        }

        pub(crate) fn parent(&self) -> io::Result<Self> {
            Ok(Self(self.0.parent().ok_or(io::ErrorKind::NotFound)?.to_path_buf()))
        }

        pub(crate) fn id(&self) -> io::Result<(u64, u64)> {
            Ok((0, 0))
        }

        pub(crate) fn handle(&self) -> io::Result<File> {
            File::open(&self.0)
        }

        pub(crate) fn create(&self, name: &str) -> io::Result<File> {
            File::create_new(self.0.join(name))
        }

        pub(crate) fn read(&self, name: &str) -> io::Result<File> {
            File::open(self.0.join(name))
        }

        pub(crate) fn kind(&self, name: &str) -> io::Result<Option<Kind>> {
            match self.0.join(name).symlink_metadata() {
                Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
                Err(error) => Err(error),
                Ok(found) if found.is_file() => Ok(Some(Kind::File)),
                Ok(found) if found.is_dir() => Ok(Some(Kind::Folder)),
                Ok(found) if found.is_symlink() => Ok(Some(Kind::Symlink)),
                Ok(_) => Ok(Some(Kind::Other)),
            }
        }

        pub(crate) fn symlink(&self, _: &[u8], _: &str) -> io::Result<()> {
            let what = "symbolic links cannot be made here";
            Err(io::Error::new(io::ErrorKind::Unsupported, what))
        }

        pub(crate) fn read_link(&self, _: &str) -> io::Result<Vec<u8>> {
            Err(io::ErrorKind::Unsupported.into())
        }

        pub(crate) fn rename(&self, from: &str, other: &Self, to: &str) -> io::Result<()> {
            fs::rename(self.0.join(from), other.0.join(to))
        }

        pub(crate) fn remove(&self, name: &str) -> io::Result<()> {
            crate::interrupt::remove(&self.0.join(name))
        }
    }
}
