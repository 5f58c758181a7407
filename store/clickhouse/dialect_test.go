package clickhouse

import "testing"

// Settings that a server does not know it is not sent, as it would refuse them.
func TestSettings(t *testing.T) {
	for _, v := range []struct {
		version    string
		old, exact bool
	}{{"18.16.1", true, false}, {"22.8.5.29", true, false}, {"23.3.1.2823", false, false}, {"25.5.1", false, false}, {"26.5.1.1", false, true}} {
		d := dialectOf(v.version)
		d.exact = v.exact
		all := d.settings(nil)
		if d.old != v.old {
			t.Errorf("%s is old: %v", v.version, d.old)
		}
		for _, name := range []string{"use_skip_indexes_if_final", exactMode} {
			if _, sent := all[name]; sent != v.exact {
				t.Errorf("%s is sent %s: %v", v.version, name, sent)
			}
		}
		if _, sent := all["mutations_sync"]; sent == v.old {
			t.Errorf("%s is sent mutations_sync: %v", v.version, sent)
		}
	}
}
