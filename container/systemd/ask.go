package systemd

import (
	"errors"
	"fmt"
	"strings"
	"unicode/utf8"

	"github.com/godbus/dbus/v5"
)

const (
	busName    = "org.freedesktop.systemd1"
	managerAt  = dbus.ObjectPath("/org/freedesktop/systemd1")
	unitsAt    = "/org/freedesktop/systemd1/unit/"
	managerAPI = "org.freedesktop.systemd1.Manager"
	unitAPI    = "org.freedesktop.systemd1.Unit"
	properties = "org.freedesktop.DBus.Properties"

	// longest is the longest description that is taken in, in bytes.
	longest = 4096
)

// The errors of systemd and of a bus that are about one unit and no other.
var unitErrors = map[string]bool{
	"org.freedesktop.systemd1.NoSuchUnit":         true,
	"org.freedesktop.DBus.Error.UnknownObject":    true, // it is gone since
	"org.freedesktop.DBus.Error.UnknownMethod":    true, // what older ones say of that
	"org.freedesktop.DBus.Error.UnknownInterface": true,
	"org.freedesktop.DBus.Error.InvalidArgs":      true,
}

// The errors that a bus gives for a name that nobody has.
var absentErrors = map[string]bool{
	"org.freedesktop.DBus.Error.ServiceUnknown": true,
	"org.freedesktop.DBus.Error.NameHasNoOwner": true,
}

// ErrNoSystemd says that there is a message bus, and no systemd on it.
var ErrNoSystemd = errors.New("no systemd on the message bus")

var errAnswer = errors.New("not what systemd answers")

// ask asks about the units, over a connection of its own, and learns what systemd
// says. It gives up at the first error that is not about one unit alone.
func (u *Units) ask(names []string) error {
	c, err := dial(u.ctx, u.o.Socket, u.o.Timeout)
	if err != nil {
		return fmt.Errorf("systemd: %w", err)
	}
	defer c.close()
	if _, err := c.call("org.freedesktop.DBus", "/org/freedesktop/DBus", "org.freedesktop.DBus", "Hello"); err != nil {
		return fmt.Errorf("systemd: saying hello to the bus: %w", err)
	}
	for _, name := range names {
		description, err := c.describe(name)
		e, ok := errors.AsType[*busError](err)
		switch {
		case err == nil:
			u.learn(name, description, true)
		case ok && unitErrors[e.name]:
			u.learn(name, "", false)
		case ok && absentErrors[e.name]:
			return fmt.Errorf("systemd: %w", ErrNoSystemd)
		default:
			return fmt.Errorf("systemd: asking about a unit: %w", err)
		}
	}
	return nil
}

// describe asks for the description of a unit that systemd has in memory:
// GetUnit, other than LoadUnit, makes it read nothing.
func (c *conn) describe(name string) (string, error) {
	body, err := c.call(busName, managerAt, managerAPI, "GetUnit", name)
	if err != nil {
		return "", err
	}
	path, ok := one(body).(dbus.ObjectPath)
	if !ok || !path.IsValid() || !strings.HasPrefix(string(path), unitsAt) {
		return "", fmt.Errorf("GetUnit: %w", errAnswer)
	}
	body, err = c.call(busName, path, properties, "Get", unitAPI, "Description")
	if err != nil {
		return "", err
	}
	variant, ok := one(body).(dbus.Variant)
	description, isText := variant.Value().(string)
	if !ok || !isText || len(description) > longest || !utf8.ValidString(description) {
		return "", fmt.Errorf("the Description of a unit: %w", errAnswer)
	}
	return description, nil
}

// one returns the only value of an answer.
func one(body []any) any {
	if len(body) != 1 {
		return nil
	}
	return body[0]
}
