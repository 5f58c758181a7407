package bpf

import (
	"errors"
	"sync"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/btf"
)

// objects is what is loaded into the kernel, by the names in folder kernel.
type objects struct {
	maps     map[string]*ebpf.Map
	programs map[string]*ebpf.Program
}

// loadObjects loads the programs side by side, since the kernel takes most of
// the time that it takes to open a source to verify each.
func loadObjects(spec *ebpf.CollectionSpec, kernel *btf.Cache) (objects, error) {
	alone := spec.Copy()
	clear(alone.Programs)
	shared, err := ebpf.NewCollection(alone)
	if err != nil {
		return objects{}, err
	}
	o := objects{maps: shared.Maps, programs: make(map[string]*ebpf.Program)}
	var (
		wg   sync.WaitGroup
		mu   sync.Mutex
		errs []error
	)
	for name, program := range spec.Programs {
		part := spec.Copy()
		part.Programs = map[string]*ebpf.ProgramSpec{name: program}
		wg.Go(func() {
			c, err := ebpf.NewCollectionWithOptions(part, ebpf.CollectionOptions{Cache: kernel, MapReplacements: o.maps})
			mu.Lock()
			defer mu.Unlock()
			if err != nil {
				errs = append(errs, err)
				return
			}
			o.programs[name] = c.DetachProgram(name)
			c.Close()
		})
	}
	wg.Wait()
	if errs != nil {
		return objects{}, errors.Join(append(errs, o.close())...)
	}
	return o, nil
}

func (o *objects) close() error {
	var errs []error
	for _, p := range o.programs {
		errs = append(errs, p.Close())
	}
	for _, m := range o.maps {
		errs = append(errs, m.Close())
	}
	return errors.Join(errs...)
}
