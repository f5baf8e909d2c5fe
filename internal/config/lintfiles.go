package config

import (
	"fmt"
	"os"
	"path/filepath"
	"runtime"

	"buf.build/gen/go/bufbuild/protovalidate/protocolbuffers/go/buf/validate"
)

// named is a file that the configuration names.
type named struct {
	at   []*validate.FieldPathElement
	path string
	live bool
	key  bool // a private key in PEM; secrets are looked at by who reads them
}

// files are those that decide whom this process believes, the configuration first.
func (l *linter) files() (all []named) {
	add := func(live, key bool, path string, field ...any) {
		if path != "" {
			all = append(all, named{fieldPath(field...), path, live, key})
		}
	}
	add(l.live, false, l.path)
	m := l.config.File
	add(l.live, false, m.Kafka.Tls.GetCaFile(), "kafka", "tls", "ca_file")
	add(l.live, false, m.Kafka.Tls.GetCertificateFile(), "kafka", "tls", "certificate_file")
	add(l.live, true, m.Kafka.Tls.GetKeyFile(), "kafka", "tls", "key_file")
	add(l.live, false, m.Kafka.Sasl.GetPasswordFile(), "kafka", "sasl", "password_file")
	add(l.live, false, m.Kafka.Sasl.GetOauth().GetClientSecretFile(), "kafka", "sasl", "oauth", "client_secret_file")
	add(l.live, false, m.Kafka.Sasl.GetOauth().GetCaFile(), "kafka", "sasl", "oauth", "ca_file")
	add(l.live, true, m.Kafka.Sasl.GetOauth().GetTokenFile(), "kafka", "sasl", "oauth", "token_file")
	add(l.live, false, m.Redis.Tls.GetCaFile(), "redis", "tls", "ca_file")
	add(l.live, false, m.Redis.Tls.GetCertificateFile(), "redis", "tls", "certificate_file")
	add(l.live, true, m.Redis.Tls.GetKeyFile(), "redis", "tls", "key_file")
	add(l.live, false, m.Redis.PasswordFile, "redis", "password_file")
	add(l.live, false, m.Redis.Sentinel.GetPasswordFile(), "redis", "sentinel", "password_file")
	add(l.live, false, m.Ingest.Tls.GetCertificateFile(), "ingest", "tls", "certificate_file")
	add(l.live, true, m.Ingest.Tls.GetKeyFile(), "ingest", "tls", "key_file")
	add(l.live, false, m.Dedupe.PepperFile, "dedupe", "pepper_file")
	for i, e := range l.config.Endpoints {
		live := isLive(e.Endpoint)
		for _, k := range keysOf(e) {
			for j, s := range k.secrets {
				add(live, false, s.File, append(append([]any{"endpoints", i}, k.field...), j, "file")...)
			}
		}
		add(live, false, e.Jwt.GetJwksFile(), "endpoints", i, "jwt", "jwks_file")
		add(live, false, e.Api.GetKeyFile(), "endpoints", i, "api", "key_file")
		add(live, false, e.Api.GetPasswordFile(), "endpoints", i, "api", "password_file")
		add(live, false, e.Api.GetClientSecretFile(), "endpoints", i, "api", "client_secret_file")
	}
	return all
}

func (l *linter) filesWritable() {
	for _, f := range l.files() {
		if found := writable(f.path); found != "" {
			l.note(f.live, f.at, "%s", found)
		}
	}
}

// writable says by what anybody may write or replace a file that is there; "" for nothing. In a folder with the sticky
// bit nobody removes what is another's. Of a link, the folder of the link and that of the file count.
func writable(path string) string {
	info, err := os.Stat(path)
	if err != nil || runtime.GOOS == "windows" { // where modes do not say who may write
		return ""
	}
	if info.Mode().Perm()&0o002 != 0 {
		return fmt.Sprintf("%s has mode %04o, so anybody may write it", path, info.Mode().Perm())
	}
	folders := []string{filepath.Dir(path)}
	if target, err := filepath.EvalSymlinks(path); err == nil {
		folders = append(folders, filepath.Dir(target))
	}
	for _, folder := range folders {
		info, err := os.Stat(folder)
		if err == nil && info.Mode().Perm()&0o002 != 0 && info.Mode()&os.ModeSticky == 0 {
			return fmt.Sprintf("its folder %s has mode %04o, so anybody may put another file in its place", folder, info.Mode().Perm())
		}
	}
	return ""
}

func (l *linter) keyReadable() {
	for _, f := range l.files() {
		if !f.key {
			continue
		}
		if info, err := os.Stat(f.path); err == nil && info.Mode().Perm()&0o004 != 0 && runtime.GOOS != "windows" {
			l.note(f.live, f.at, "%s has mode %04o, so anybody may read it", f.path, info.Mode().Perm())
		}
	}
}
