//! What to do about an error of the lab, and the exit code that says so.

use super::LabError;
use crate::exit::Exit;
use crate::lab::spec::LabSpec;
use std::io;

impl LabError {
    /// The process exit code for this error.
    pub fn exit(&self) -> Exit {
        match self {
            Self::NotRoot
            | Self::KernelFeatures { .. }
            | Self::MissingTools { .. }
            | Self::MissingBinaries { .. }
            | Self::LinkTaken { .. }
            | Self::SubnetTaken { .. }
            | Self::PathTaken { .. }
            | Self::CgroupTaken { .. }
            | Self::Inotify { .. }
            | Self::DiskFull { .. } => Exit::Doctor,
            Self::MissingImage { .. }
            | Self::InvalidName { .. }
            | Self::InvalidSubnet { .. }
            | Self::InvalidNodes { .. }
            | Self::InvalidLabRole { .. }
            | Self::RepeatedRole { .. }
            | Self::NoClusters
            | Self::UnknownGateway { .. }
            | Self::UnknownRole { .. }
            | Self::SpecDiffers { .. } => Exit::Usage,
            Self::Left { .. } => Exit::CleanupIncomplete,
            Self::Interrupted => Exit::Interrupted,
            Self::Io { source, .. } if source.kind() == io::ErrorKind::StorageFull => Exit::Doctor,
            _ => Exit::Infrastructure,
        }
    }

    /// What a person can do about it.
    pub fn hint(&self) -> Option<String> {
        Some(match self {
            Self::NotRoot => "run the command with sudo, or as root".to_owned(),
            Self::KernelFeatures { .. } => {
                "use a kernel with these features, or load their modules with modprobe".to_owned()
            }
            Self::MissingTools { packages, .. } => {
                format!("apt-get install {}", packages.join(" "))
            }
            Self::MissingBinaries { .. } => "build them with `portproof lab build`".to_owned(),
            Self::LinkTaken { name } => {
                format!("remove it (`ip link del {name}`) if nobody needs it, or choose --name")
            }
            Self::SubnetTaken { .. } => format!(
                "choose a free /24 with --subnet (usual: {})",
                LabSpec::DEFAULT_SUBNET
            ),
            Self::PathTaken { .. } => {
                "name another directory in PORTPROOF_LAB_DIR, or empty this one".to_owned()
            }
            Self::CgroupTaken { path } => {
                format!("remove it (`rmdir {}`), or choose --name", path.display())
            }
            Self::DiskFull { .. } => {
                "free some space, or name a directory on another disk in PORTPROOF_LAB_DIR"
                    .to_owned()
            }
            Self::Inotify { needed, limit, .. } => format!(
                "sysctl -w fs.inotify.max_user_instances={}",
                (limit + needed).next_power_of_two()
            ),
            Self::Busy { .. } => "wait until it has ended".to_owned(),
            Self::SpecDiffers { .. } => {
                "run `portproof lab down` first, or leave the differing option out".to_owned()
            }
            Self::NotRunning { .. } => "start one with `portproof lab up`".to_owned(),
            Self::Damaged { .. } => {
                "run `portproof lab down`, it needs no readable state".to_owned()
            }
            Self::Left { .. } => "run `portproof lab down` again".to_owned(),
            _ => return None,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::path::Path;

    #[test]
    fn what_a_machine_lacks_exits_as_the_doctor_does() {
        assert_eq!(LabError::NotRoot.exit(), Exit::Doctor);
        let full = LabError::io("cannot write", Path::new("/x"))(io::ErrorKind::StorageFull.into());
        assert_eq!(full.exit(), Exit::Doctor);
    }

    #[test]
    fn what_breaks_on_the_way_exits_as_infrastructure() {
        let error = LabError::io("cannot write", Path::new("/x"))(io::ErrorKind::NotFound.into());
        assert_eq!(error.exit(), Exit::Infrastructure);
        assert_eq!(error.to_string(), "cannot write /x");
    }

    #[test]
    fn missing_tools_name_the_packages_to_install() {
        let error = LabError::MissingTools {
            tools: vec!["nft".to_owned()],
            packages: vec!["nftables".to_owned()],
        };
        assert_eq!(error.hint().unwrap(), "apt-get install nftables");
    }
}
