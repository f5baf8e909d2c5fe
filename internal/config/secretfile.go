package config

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
)

// maxSecretFile bounds a secret's file, in bytes.
const maxSecretFile = 64 << 10

// readSecretFile reads a secret and drops one line break at its end, which
// editors and `echo` leave there. A file that others may write is refused: they
// could set the secret. One that others may read is read with a warning, since
// mounted secrets often look like that.
func readSecretFile(path string) (content []byte, warning string, err error) {
	info, err := os.Stat(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil, "", fmt.Errorf("no file %s; create it with the secret, readable by this user only", path)
	case err != nil:
		return nil, "", fmt.Errorf("cannot read the secret: %w", err)
	case !info.Mode().IsRegular():
		return nil, "", fmt.Errorf("%s is not a regular file", path)
	case info.Mode().Perm()&0o022 != 0:
		return nil, "", fmt.Errorf("%s has mode %04o, so others can change the secret: chmod 600 %s", path, info.Mode().Perm(), path)
	case info.Size() > maxSecretFile:
		return nil, "", fmt.Errorf("%s has %d bytes; a secret has at most %d", path, info.Size(), maxSecretFile)
	}
	if info.Mode().Perm()&0o044 != 0 {
		warning = fmt.Sprintf("secret file %s has mode %04o, so others can read it: chmod 600 %s", path, info.Mode().Perm(), path)
	}
	f, err := os.Open(path)
	if err != nil {
		return nil, "", fmt.Errorf("cannot read the secret: %w", err)
	}
	defer f.Close()
	content, err = io.ReadAll(io.LimitReader(f, maxSecretFile))
	if err != nil {
		return nil, "", fmt.Errorf("cannot read the secret: %w", err)
	}
	content = bytes.TrimSuffix(content, []byte("\n"))
	content = bytes.TrimSuffix(content, []byte("\r"))
	if len(content) == 0 {
		return nil, "", fmt.Errorf("%s is empty; put the secret into it", path)
	}
	return content, warning, nil
}
