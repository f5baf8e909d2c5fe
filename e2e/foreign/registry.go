package foreign

import (
	"bufio"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// apicurio is the archive of the registry in Maven's central repository. This version runs on Java 17.
const (
	apicurio     = "io.apicurio:apicurio-registry-app:2.6.13.Final:tar.gz:all"
	apicurioJar  = "apicurio-registry-app-2.6.13.Final-runner.jar"
	mavenCopy    = "org.apache.maven.plugins:maven-dependency-plugin:3.8.1:copy"
	registryWait = 2 * time.Minute
)

// Registry starts an Apicurio Registry that keeps everything in memory, and ends it with the test. address is
// host:port of this machine. Below the address that is returned, its API is the one of Confluent. A request with the
// header X-Registry-GroupId sees the subjects of that group alone.
func Registry(t testing.TB, address string) string {
	t.Helper()
	Need(t, "java", "mvn", "tar")
	home := Store(t, "apicurio", filepath.Join(Root(t), "e2e", "foreign", "registry.go"), func(dir string) {
		Run(t, dir, nil, "mvn", "-q", "-B", mavenCopy, "-Dartifact="+apicurio, "-DoutputDirectory="+dir)
		archive, err := filepath.Glob(filepath.Join(dir, "*.tar.gz"))
		if err != nil || len(archive) != 1 {
			t.Fatalf("maven brought %q (%v), expected one archive", archive, err)
		}
		Run(t, dir, nil, "tar", "xzf", archive[0])
		if err := os.Remove(archive[0]); err != nil {
			t.Fatal(err)
		}
	})
	host, port, _ := strings.Cut(address, ":")
	server := exec.Command("java", "-Xmx384m", "-XX:TieredStopAtLevel=1", "-jar", apicurioJar)
	server.Dir, server.Env = home, append(os.Environ(), "QUARKUS_HTTP_HOST="+host, "QUARKUS_HTTP_PORT="+port)
	out, err := server.StdoutPipe()
	if err == nil {
		err = server.Start()
	}
	if err != nil {
		t.Fatalf("start Apicurio: %v", err)
	}
	listening, ended := make(chan struct{}), make(chan string, 1)
	go followLog(bufio.NewScanner(out), listening, ended)
	t.Cleanup(func() {
		_ = server.Process.Kill()
		<-ended
		_ = server.Wait()
	})
	select {
	case <-listening:
	case last := <-ended:
		ended <- last
		t.Fatalf("Apicurio ended before it listened; its log ends with\n%s", last)
	case <-time.After(registryWait):
		t.Fatalf("Apicurio did not listen within %s", registryWait)
	}
	return "http://" + address + "/apis/ccompat/v7"
}

// followLog closes listening once a server says so, and sends the end of its log when it has ended.
func followLog(lines *bufio.Scanner, listening chan<- struct{}, ended chan<- string) {
	var last []string
	said := false
	for lines.Scan() {
		if !said && strings.Contains(lines.Text(), "Listening on:") {
			said = true
			close(listening)
		}
		last = append(last, lines.Text())
		last = last[max(0, len(last)-50):]
	}
	ended <- strings.Join(last, "\n")
}
