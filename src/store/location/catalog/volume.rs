//! Volumes of Unity Catalog, which a workspace's machines mount as folders below `/Volumes`. A
//! volume may hold a trial lake if it can create a name exclusively.

use std::path::{Component, Path};

/// Returns the volume of a path, as `catalog.schema.volume`, and whether its folder exists; `None`
/// for any other path. On a Mac the folder has another meaning.
pub fn of(path: &Path) -> Option<(String, bool)> {
    if cfg!(target_os = "macos") {
        return None;
    }
    let mut parts = path.components();
    let begins = matches!((parts.next(), parts.next()), (Some(Component::RootDir), Some(Component::Normal(top))) if top == "Volumes");
    if !begins {
        return None;
    }
    let named: Vec<&str> = parts.take(3).filter_map(|part| part.as_os_str().to_str()).collect();
    let folder = Path::new("/Volumes").join(named.iter().collect::<std::path::PathBuf>());
    Some((named.join("."), named.len() == 3 && folder.is_dir()))
}

/// Explains why a missing volume cannot hold a lake.
pub fn missing(volume: &str) -> String {
    let parts: Vec<&str> = volume.split('.').collect();
    match parts.as_slice() {
        [catalog, schema, name] => format!(
            "there is no volume {volume} on this machine, or it is not visible; create it with CREATE VOLUME `{catalog}`.`{schema}`.`{name}`; a bundle's first deploy creates those it declares before a job can use them"
        ),
        _ => "a volume's path is /Volumes/CATALOG/SCHEMA/VOLUME and a folder in it".to_owned(),
    }
}

#[cfg(all(test, not(target_os = "macos")))]
mod tests {
    use super::*;

    #[test]
    fn a_path_below_volumes_names_its_volume() {
        assert_eq!(
            of(Path::new("/Volumes/main/plan/trial/lake")),
            Some(("main.plan.trial".to_owned(), false))
        );
        assert_eq!(of(Path::new("/Volumes/main")), Some(("main".to_owned(), false)));
        assert_eq!(of(Path::new("/data/Volumes/a/b/c")), None);
        assert_eq!(of(Path::new("Volumes/a/b/c")), None);
        assert!(missing("main.plan.trial").contains("CREATE VOLUME `main`.`plan`.`trial`"));
        assert!(missing("main").contains("/Volumes/CATALOG"));
    }
}
