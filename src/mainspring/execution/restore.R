# Fill a library from a renv.lock: by renv where it is installed, else from the libraries of this R.
# Arguments: the library, the lock, and NAME=VERSION of each package. Prints what is wrong.
arguments <- commandArgs(trailingOnly = TRUE)
library_folder <- arguments[[1]]
lock <- arguments[[2]]
wanted <- strsplit(arguments[-(1:2)], "=", fixed = TRUE)
dir.create(library_folder, showWarnings = FALSE, recursive = TRUE)

version_in <- function(name, libraries) {
  found <- suppressWarnings(packageDescription(name, lib.loc = libraries, fields = "Version"))
  if (length(found) == 1 && is.na(found)) "" else as.character(found)
}

if (requireNamespace("renv", quietly = TRUE)) {
  renv::restore(lockfile = lock, library = library_folder, prompt = FALSE)
} else {
  for (pair in wanted) {
    if (version_in(pair[[1]], .libPaths()) == pair[[2]]) {
      file.copy(find.package(pair[[1]], lib.loc = .libPaths()), library_folder, recursive = TRUE)
    }
  }
}

for (pair in wanted) {
  found <- version_in(pair[[1]], c(library_folder, .Library))
  if (found != pair[[2]]) {
    installed <- version_in(pair[[1]], .libPaths())
    cat(sprintf("%s %s is not there (%s)\n", pair[[1]], pair[[2]],
      if (installed == "") "not installed" else paste("installed is", installed)))
  }
}
