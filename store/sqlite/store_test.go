package sqlite_test

import (
	"os"
	"testing"

	"github.com/proclineage/lineage/store"
	"github.com/proclineage/lineage/store/sqlite"
	"github.com/proclineage/lineage/store/storetest"
)

func open(dir string) (store.Store, error) { return sqlite.Open(dir, sqlite.Options{}) }

func TestMain(m *testing.M) {
	storetest.Child(open)
	os.Exit(m.Run())
}

func TestStore(t *testing.T) { storetest.Run(t, storetest.Options{Open: open, Disk: true}) }
