package dev

import (
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/kycbridge/kycbridge/embedded"
	configv1 "github.com/kycbridge/kycbridge/schemas/kycbridge/config/v1"
)

// ClientsFile is the configuration with which other commands reach the Kafka and Redis of
// a `dev`; dir is its data directory.
func ClientsFile(dir string) string { return filepath.Join(dir, "dev", "clients.yaml") }

// passwords are one for Kafka and Redis, new in every life, and the files that hold it.
// They are in the data directory, which no other user can enter, so no command line and no
// output has to show it.
type passwords struct {
	secret   string // "": Kafka and Redis ask for none
	file     string // holds the secret alone
	clients  string // configuration for kycbridge
	kcatFile string // configuration for kcat -F
}

// newPasswords makes up a password where one is asked for.
func (o Options) newPasswords() (passwords, error) {
	dir, err := filepath.Abs(filepath.Join(o.Dir, "dev"))
	if err != nil {
		return passwords{}, fmt.Errorf("find the data directory: %w", err)
	}
	p := passwords{file: filepath.Join(dir, "password"), clients: filepath.Join(dir, "clients.yaml"), kcatFile: filepath.Join(dir, "kcat.conf")}
	if o.Passwords {
		p.secret = rand.Text()
	}
	return p, nil
}

// write leaves the files for clients of the running services; without a password, those of
// an earlier life that hold one are removed.
func (p passwords) write(clients string) error {
	if p.secret == "" {
		for _, file := range []string{p.file, p.kcatFile} {
			if err := os.Remove(file); err != nil && !errors.Is(err, fs.ErrNotExist) {
				return fmt.Errorf("remove the password of an earlier life: %w", err)
			}
		}
		return writePrivate(p.clients, clients)
	}
	return errors.Join(
		writePrivate(p.file, p.secret+"\n"),
		writePrivate(p.clients, clients),
		writePrivate(p.kcatFile, fmt.Sprintf("security.protocol=sasl_plaintext\nsasl.mechanism=SCRAM-SHA-256\nsasl.username=%s\nsasl.password=%s\n", embedded.KafkaUser, p.secret)),
	)
}

// value quotes a text for a configuration, where a $ would begin a variable.
func value(text string) string { return strings.ReplaceAll(strconv.Quote(text), "$", "$$") }

// apply has the process's own clients use the password.
func (p passwords) apply(m *configv1.Config) {
	if p.secret == "" {
		return
	}
	m.Kafka.Sasl = &configv1.Sasl{Mechanism: configv1.SaslMechanism_SASL_MECHANISM_SCRAM_SHA_256, Username: embedded.KafkaUser, PasswordFile: p.file}
	m.Redis.PasswordFile = p.file
}

// writePrivate replaces a file with one that only this user can read, in one step.
func writePrivate(path, text string) error {
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return err
	}
	f, err := os.CreateTemp(filepath.Dir(path), filepath.Base(path)+".*") // with mode 0600
	if err != nil {
		return err
	}
	_, err = f.WriteString(text)
	if err = errors.Join(err, f.Close()); err == nil {
		err = os.Rename(f.Name(), path)
	}
	if err != nil {
		return errors.Join(fmt.Errorf("write %s: %w", path, err), os.Remove(f.Name()))
	}
	return nil
}
