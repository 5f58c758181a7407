package clickhouse

import (
	"context"
	"fmt"
	"strings"
)

// fewMeant is up to how many ancestors of a name are looked up first. Where there are
// more, every question looks for them anew.
const fewMeant = 1000

// descends is the condition that of those above a process by creation one is called
// so, empty where nobody is. Others hold of the processes that are asked for.
func (s *Store) descends(ctx context.Context, name, host string, others []string) (string, error) {
	of := ofHost(host)
	so := " FINAL WHERE " + of + " AND (" + named(name) + ")"
	few, err := s.joined(ctx, fmt.Sprintf("SELECT host, boot, id FROM %s%s LIMIT %d", s.table("processes"), so, s.few+1))
	all := "SELECT host, boot, id FROM " + s.local("processes") + so
	meant := "(" + all + ")"
	switch {
	case err != nil || len(few) == 0:
		return "", err
	case len(few) <= s.few:
		meant = "(" + list(few, joint.literal) + ")"
	}
	links, roots, err := s.leading(ctx, of, meant)
	if err != nil {
		return "", err
	}
	if len(few) > s.few && len(others) > 0 { // of a common name only those that matter
		meant = "(" + all + " AND " + s.aboveOf(strings.Join(others, " AND ")) + ")"
	}
	below := "(host, boot, x) IN " + meant
	if len(roots) > 0 {
		below += " OR (host, boot, x) IN (" + list(roots, joint.literal) + ")"
	}
	return "arrayExists(x -> " + below + ", " + links.ancestors() + ")", nil
}

// leading are the links that lead to one that is meant, maybe by way of others, and
// from where they do.
func (s *Store) leading(ctx context.Context, of, meant string) (links *joints, roots []joint, err error) {
	var count uint64
	query := "SELECT count() FROM " + s.table("links") + " WHERE " + of + " AND " + goesOn
	if err := s.conn.QueryRow(ctx, query).Scan(&count); err != nil || count == 0 {
		return &joints{}, nil, err
	}
	links, err = s.joints(ctx, of+" AND (instead = 1 OR notEmpty(above) AND (arrayExists(x -> (host, boot, x) IN "+meant+
		", above) OR arrayExists(x -> (host, boot, x) IN (SELECT host, boot, id FROM "+s.local("links")+" FINAL WHERE "+of+" AND notEmpty(above)), above)))")
	if err != nil {
		return nil, nil, err
	}
	roots, err = s.joined(ctx, "SELECT DISTINCT host, boot, x FROM "+s.table("links")+" FINAL ARRAY JOIN above AS x WHERE "+of+" AND (host, boot, x) IN "+meant)
	if err != nil {
		return nil, nil, err
	}
	return links, links.below(roots)[len(roots):], nil
}

// joined reads what has a host, a boot and a key.
func (s *Store) joined(ctx context.Context, query string) (all []joint, err error) {
	err = s.rows(ctx, query, func(scan func(...any) error) error {
		var j joint
		var id string
		if err := scan(&j.host, &j.boot, &id); err != nil {
			return err
		}
		j.key = key(id)
		all = append(all, j)
		return nil
	})
	return all, err
}
