//go:build profile

package command

import (
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"runtime/pprof"
	"strconv"
)

// profileVariable names the folder that profiles of this process go to: PID.cpu and PID.mem, for
// `go tool pprof`.
const profileVariable = "KYCBRIDGE_PROFILE"

// startProfile profiles the processor time of the whole process; stop writes it, and what was
// allocated.
func startProfile() (stop func()) {
	dir := os.Getenv(profileVariable)
	if dir == "" {
		return func() {}
	}
	name := filepath.Join(dir, strconv.Itoa(os.Getpid()))
	cpu, err := os.Create(name + ".cpu")
	if err == nil {
		err = pprof.StartCPUProfile(cpu)
	}
	if err != nil {
		fmt.Fprintf(os.Stderr, "%s=%s: %v\n", profileVariable, dir, err)
		os.Exit(exitUsage)
	}
	return func() {
		pprof.StopCPUProfile()
		_ = cpu.Close()
		if mem, err := os.Create(name + ".mem"); err == nil {
			runtime.GC()
			_ = pprof.Lookup("allocs").WriteTo(mem, 0)
			_ = mem.Close()
		}
	}
}
