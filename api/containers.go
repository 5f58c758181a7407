package api

import (
	"cmp"
	"net/http"
	"slices"

	"github.com/proclineage/lineage/answer"
	"github.com/proclineage/lineage/cgroup"
	"github.com/proclineage/lineage/container"
	"github.com/proclineage/lineage/store"
)

// containers answers which containers are known, with how many processes each has.
func (s *Server) containers(w http.ResponseWriter, r *http.Request) error {
	p := s.paramsOf(r, "host")
	if p.err != nil {
		return p.err
	}
	scope, err := s.aboutNow(r.Context(), p.text("host"))
	if err != nil {
		return err
	}
	if !scope.here {
		return s.pastContainers(w, r, &scope)
	}
	a := Containers{Answer: s.alive(), Containers: []ContainerCount{}}
	d, giveBack := s.describer()
	defer giveBack()
	v := sees(r)
	places := map[string]int{}
	err = s.eachNow(v, &a.Answer, d, func(one *running) bool {
		m := d.Whereabouts(one.Cgroup)
		if id := m.Identity.Container; m.In() && id != "" {
			at, ok := places[id]
			if !ok {
				at = len(a.Containers)
				places[id] = at
				a.Containers = append(a.Containers, ContainerCount{Container: *answer.ContainerOf(&m)})
			}
			a.Containers[at].Processes++
		}
		return true
	})
	if err != nil {
		return err
	}
	if s.o.Names != nil && (v.all || s.o.HidePID < HideProcess) {
		s.o.Names.All(func(c container.Container) bool {
			if _, ok := places[c.ID]; !ok {
				m := container.Membership{Container: c, Identity: cgroup.Identity{Runtime: c.Runtime, Container: c.ID, Role: cgroup.RoleContainer}}
				places[c.ID] = len(a.Containers)
				a.Containers = append(a.Containers, ContainerCount{Container: *answer.ContainerOf(&m)})
			}
			return true
		})
	}
	sortContainers(a.Containers)
	return s.json(w, r, &a)
}

// pastContainers answers which containers had processes as of the last batch of the
// one host.
func (s *Server) pastContainers(w http.ResponseWriter, r *http.Request, c *scope) error {
	q := &store.Query{Host: c.id(), Since: c.last(), Until: c.last()}
	a := Containers{Answer: s.pastOf(c, q), Containers: []ContainerCount{}}
	places := map[string]int{}
	more, note, err := s.each(r.Context(), sees(r), q, s.o.Limits.MaxCounted, func(page *store.Page) {
		for i := range page.Processes {
			p := &page.Processes[i]
			if p.Container == "" || p.Helper {
				continue
			}
			at, ok := places[p.Container]
			if !ok {
				at = len(a.Containers)
				places[p.Container] = at
				a.Containers = append(a.Containers, ContainerCount{Container: answer.StoredContainer(containerOf(p))})
			}
			a.Containers[at].Processes++
		}
	})
	if err != nil {
		return err
	}
	if note != "" {
		a.lack(note)
	}
	if more {
		a.lack("there are more processes than are counted")
	}
	sortContainers(a.Containers)
	return s.json(w, r, &a)
}

// sortContainers puts them in the order of their names.
func sortContainers(list []ContainerCount) {
	slices.SortFunc(list, func(x, y ContainerCount) int {
		return cmp.Or(cmp.Compare(text(x.Name), text(y.Name)), cmp.Compare(text(x.ID), text(y.ID)))
	})
}

func text(s *string) string {
	if s == nil {
		return ""
	}
	return *s
}
