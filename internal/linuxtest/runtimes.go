package linuxtest

import (
	"debug/elf"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"

	"golang.org/x/sys/unix"
)

// programs returns a probe of whether the programs are there. That they work is
// for the test to find out: it fails where they do not.
func programs(names ...string) func() error {
	return func() error {
		for _, name := range names {
			if _, err := exec.LookPath(name); err != nil {
				return err
			}
		}
		return nil
	}
}

// probeBusybox also looks whether it needs no library, which a root directory
// with nothing else in it does not have.
func probeBusybox() error {
	name, err := exec.LookPath("busybox")
	if err != nil {
		return err
	}
	f, err := elf.Open(name)
	if err != nil {
		return err
	}
	if slices.ContainsFunc(f.Progs, func(p *elf.Prog) bool { return p.Type == elf.PT_INTERP }) {
		err = fmt.Errorf("%s is not static", name)
	}
	return errors.Join(err, f.Close())
}

// probeCgroupV1 mounts nothing: a mount of a controller of v1 that no hierarchy
// has would take it away from v2.
func probeCgroupV1() error {
	hs, err := hierarchies()
	if err != nil {
		return err
	}
	if !slices.ContainsFunc(hs, func(h hierarchy) bool { return slices.Contains(h.controllers, "cpu") }) {
		return errors.New("no hierarchy of cgroup v1 with the controller cpu is mounted")
	}
	return nil
}

func probeCgroupV2() error {
	fs, err := unix.Fsopen("cgroup2", unix.FSOPEN_CLOEXEC)
	if err != nil {
		return fmt.Errorf("fsopen of cgroup2: %w", err)
	}
	defer unix.Close(fs)
	if err := unix.FsconfigCreate(fs); err != nil {
		return fmt.Errorf("cgroup v2: %w", err)
	}
	return nil
}

// Where tests have from what is fetched for them, below the folder of the module.
const (
	playwright = "web/node_modules/.bin/playwright"
	speedscope = "record/chrome/viewers/node_modules/speedscope/dist/release/index.html"
	hello      = "cmd/lineage/testdata/sources/hello_*.orig.tar.gz"
	chdb       = "tools/chdb/node_modules/@chdb/lib-linux-*/libchdb.so"
)

func probeSpeedscope() error {
	_, err := fetched(speedscope)
	if err != nil {
		err = fmt.Errorf("%w: npm ci --ignore-scripts --prefix record/chrome/viewers", err)
	}
	return err
}

func probePlaywright() error {
	if _, err := fetched(playwright); err != nil {
		return fmt.Errorf("%w: npm ci --ignore-scripts --prefix web", err)
	}
	return programs("node", "chromium")()
}

// PlaywrightPath returns the path of the program that the probe of [Playwright] has
// found.
func PlaywrightPath() string {
	name, _ := fetched(playwright)
	return name
}

func probeHello() error {
	if _, err := fetched(hello); err != nil {
		return fmt.Errorf("%w: tools/debian-source hello cmd/lineage/testdata/sources", err)
	}
	return programs("make", "gcc", "tar")()
}

// HelloSource returns the path of the source of GNU hello, which the probe of
// [Hello] has found.
func HelloSource() string {
	name, _ := fetched(hello)
	return name
}

func probeChdb() error {
	if _, err := fetched(chdb); err != nil {
		return fmt.Errorf("%w: npm ci --ignore-scripts --prefix tools/chdb", err)
	}
	return programs("go")()
}

// ChdbLibrary returns the path of libchdb, which the probe of [Chdb] has found.
func ChdbLibrary() string {
	name, _ := fetched(chdb)
	return name
}

// ZooKeeperLibrary is the path of Debian's ZooKeeper, which Java runs.
const ZooKeeperLibrary = "/usr/share/java/zookeeper.jar"

func probeZooKeeper() error {
	if _, err := os.Stat(ZooKeeperLibrary); err != nil {
		return err
	}
	return programs("java")()
}

// fetched returns the path of the file with the pattern below the folder of the
// module.
func fetched(pattern string) (string, error) {
	dir, err := os.Getwd()
	if err != nil {
		return "", err
	}
	for {
		if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil {
			break
		}
		up := filepath.Dir(dir)
		if up == dir {
			return "", errors.New("not in the folder of the module")
		}
		dir = up
	}
	found, err := filepath.Glob(filepath.Join(dir, pattern))
	if err == nil && len(found) == 0 {
		err = fmt.Errorf("no %s", pattern)
	}
	if err != nil {
		return "", err
	}
	return found[0], nil
}
