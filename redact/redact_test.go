package redact_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/proclineage/lineage/redact"
)

// line divides a command line at " | ", so that arguments may have spaces.
func line(s string) []string { return strings.Split(s, " | ") }

func TestSecrets(t *testing.T) {
	for _, test := range []struct{ in, want string }{
		{"app | --password=hunter2", "app | --password=[redacted]"},
		{"app | --password | hunter2 | x", "app | --password | [redacted] | x"},
		{"app | --db-password | hunter2", "app | --db-password | [redacted]"},
		{"app | -password | hunter2", "app | -password | [redacted]"},
		{"app | --clientSecret=abcdef", "app | --clientSecret=[redacted]"},
		{"app | --api-key=abcdef | --apiKey=abcdef", "app | --api-key=[redacted] | --apiKey=[redacted]"},
		{"app | --ftp-pass | hunter2", "app | --ftp-pass | [redacted]"},
		{"java | -Dspring.datasource.password=hunter2", "java | -Dspring.datasource.password=[redacted]"},
		{"env | AWS_SECRET_ACCESS_KEY=abc/def | PGPASSWORD=x1 | HOME=/root", "env | AWS_SECRET_ACCESS_KEY=[redacted] | PGPASSWORD=[redacted] | HOME=/root"},
		{"docker | run | --env=DB_PASSWORD=hunter2 | -e | MYSQL_PWD=hunter2", "docker | run | --env=DB_PASSWORD=[redacted] | -e | MYSQL_PWD=[redacted]"},
		{"psql | postgres://app:hunter2@db:5432/x?sslmode=off", "psql | postgres://app:[redacted]@db:5432/x?sslmode=off"},
		{"psql | --url=postgres://app:hunter2@db/x", "psql | --url=postgres://app:[redacted]@db/x"},
		{"curl | https://h/x?user=me&access_token=abc123&y=1", "curl | https://h/x?user=me&access_token=[redacted]&y=1"},
		{"curl | -H | Authorization: Bearer abc.def", "curl | -H | Authorization: Bearer [redacted]"},
		{"curl | -H | authorization: abcdef", "curl | -H | authorization: [redacted]"},
		{"curl | -H | X-Api-Key: abcdef", "curl | -H | X-Api-Key: [redacted]"},
		{"curl | -H | Cookie: a=b; c=d", "curl | -H | Cookie: [redacted]"},
		{"curl | -H | X-Auth-Token:abcdef", "curl | -H | X-Auth-Token:[redacted]"},
		{"curl | -u | me:hunter2 | https://h/", "curl | -u | me:[redacted] | https://h/"},
		{"/usr/bin/sshpass | -p | hunter2 | ssh | h", "/usr/bin/sshpass | -p | [redacted] | ssh | h"},
		{"mysql | -uroot | -phunter2 | db", "mysql | -uroot | -p[redacted] | db"},
		{"openssl | rsa | -passin | pass:hunter2", "openssl | rsa | -passin | pass:[redacted]"},
		{"git | push | https://x:ghp_abcdefghij0123456789ABCDEFGHIJ012345@h/r", "git | push | https://x:[redacted]@h/r"},
		{"tool | ghp_abcdefghij0123456789ABCDEFGHIJ012345", "tool | [redacted]"},
		{"tool | --x=glpat-abcdefghij0123456789", "tool | --x=[redacted]"},
		{"tool | eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.abc-def", "tool | [redacted]"},
		{"sh | -c | export TOKEN=abcdef; app --password hunter2 --x", "sh | -c | export TOKEN=[redacted]; app --password [redacted] --x"},
		{"sh | -c | DB_PASSWORD='a b' app", "sh | -c | DB_PASSWORD='[redacted]' app"},
		{"psql | host=db user=app password=hunter2", "psql | host=db user=app password=[redacted]"},
		{"tool | -----BEGIN RSA PRIVATE KEY-----\nabc", "tool | [redacted]"},
		{"sudo | mysql | -pX", "sudo | mysql | -p[redacted]"},
		{"docker | exec | db | mysql | -pX", "docker | exec | db | mysql | -p[redacted]"},
		{"timeout | 5 | sshpass | -p | X1 | ssh | -p | 22 | h", "timeout | 5 | sshpass | -p | [redacted] | ssh | -p | 22 | h"},
		{"env | A=1 | curl | -u | me:X1", "env | A=1 | curl | -u | me:[redacted]"},
		{"sh | -c | mysql -uroot -pX1 db", "sh | -c | mysql -uroot -p[redacted] db"},
		{"ssh | h | mysql -pX1", "ssh | h | mysql -p[redacted]"},
		{"ssh | h | mysql | -pX1", "ssh | h | mysql | -p[redacted]"},
		{"sh | -c | cd /x && mysql -p'a b' db; tar -pxf y", "sh | -c | cd /x && mysql -p'[redacted]' db; tar -pxf y"},
		{"sh | -c | curl -sSu 'me:my X' https://h/", "sh | -c | curl -sSu 'me:[redacted]' https://h/"},
		{"bash | -lc | exec /usr/bin/sshpass -p \"X1\" ssh h", "bash | -lc | exec /usr/bin/sshpass -p \"[redacted]\" ssh h"},
		{"sh | -c | mysql \\\n -pX1", "sh | -c | mysql \\\n -p[redacted]"},
		{"ssh | h | sh -c \"mysql -pX1 db\"", "ssh | h | sh -c \"mysql -p[redacted] db\""},
		{"wget | --header=Authorization: Bearer X1", "wget | --header=Authorization: Bearer [redacted]"},
		{"git | -c | http.extraheader=AUTHORIZATION: basic X1 | clone", "git | -c | http.extraheader=AUTHORIZATION: basic [redacted] | clone"},
		{"curl | -HAuthorization: Bearer X1", "curl | -HAuthorization: Bearer [redacted]"},
		{"sh | -c | curl -H \"Authorization: Bearer X1\" https://h/", "sh | -c | curl -H \"Authorization: Bearer [redacted]\" https://h/"},
		{"sh | -c | curl -H 'X-Api-Key: X1' https://h/", "sh | -c | curl -H 'X-Api-Key: [redacted]' https://h/"},
		{"sh | -c | curl -b x -H 'Cookie: a=b; c=d' h", "sh | -c | curl -b x -H 'Cookie: [redacted]' h"},
		{"curl | -d | {\"password\":\"X1\"}", "curl | -d | {\"password\":\"[redacted]\"}"},
		{"curl | -d | {\"user\": \"me\", \"password\": \"X 1\", \"a\": 1}", "curl | -d | {\"user\": \"me\", \"password\": \"[redacted]\", \"a\": 1}"},
		{"sh | -c | curl -d \"{\\\"password\\\":\\\"X1\\\"}\" h", "sh | -c | curl -d \"{\\\"password\\\":\\\"[redacted]\\\"}\" h"},
		{"app | {\"token\":123456,\"a\":1}", "app | {\"token\":[redacted],\"a\":1}"},
		{"python3 | -c | connect(password='X1')", "python3 | -c | connect(password='[redacted]')"},
		{"python3 | -c | connect(user='a', password='X1', db='b')", "python3 | -c | connect(user='a', password='[redacted]', db='b')"},
		{"python3 | -c | password = 'X1'", "python3 | -c | password = '[redacted]'"},
		{"php | -r | ['password' => 'X1'];", "php | -r | ['password' => '[redacted]'];"},
		{"sh | -c | cat > x <<EOF\nuser: me\npassword: X1\nEOF", "sh | -c | cat > x <<EOF\nuser: me\npassword: [redacted]\nEOF"},
		{"sh | -c | cat > x <<EOF\nuser = me\npassword = X1\nEOF", "sh | -c | cat > x <<EOF\nuser = me\npassword = [redacted]\nEOF"},
		{"app | {db:{password:X1}}", "app | {db:{password:[redacted]}}"},
		{"app | {user: me, password: X1}", "app | {user: me, password: [redacted]}"},
		{"sh | -c | app --password 'a b' --x", "sh | -c | app --password '[redacted]' --x"},
		{"sh | -c | app '--password=a b;c' --x", "sh | -c | app '--password=[redacted]' --x"},
		{"app | --password=a b", "app | --password=[redacted]"},
		{"app | Server=x;Password=X1;", "app | Server=x;Password=[redacted];"},
		{"app | Server=x;Pwd=X1;Db=y", "app | Server=x;Pwd=[redacted];Db=y"},
		{"az | Name=x;AccountKey=X1==;Suffix=y", "az | Name=x;AccountKey=[redacted];Suffix=y"},
		{"helm | --set | a=b,db.password=X1", "helm | --set | a=b,db.password=[redacted]"},
		{"helm | --set | a=b,db.password=X1,c=d", "helm | --set | a=b,db.password=[redacted],c=d"},
		{"helm | --set=db.password=X,1", "helm | --set=db.password=[redacted]"},
		{"app | Endpoint=sb://h/;SharedAccessKey=X1=", "app | Endpoint=sb://h/;SharedAccessKey=[redacted]"},
		{"app | --pass | X1", "app | --pass | [redacted]"},
		{"app | --pass=X1", "app | --pass=[redacted]"},
		{"app | --pwd=X1", "app | --pwd=[redacted]"},
		{"env | PASS=X1", "env | PASS=[redacted]"},
		{"env | DBPASS=X1", "env | DBPASS=[redacted]"},
		{"env | dbpwd=X1", "env | dbpwd=[redacted]"},
		{"curl | -ume:X1", "curl | -ume:[redacted]"},
		{"curl | --user=me:X1", "curl | --user=me:[redacted]"},
		{"curl | --proxy-user | me:X1", "curl | --proxy-user | me:[redacted]"},
		{"curl | -fsSLu | me:X1", "curl | -fsSLu | me:[redacted]"},
		{"app | --bearer | X1", "app | --bearer | [redacted]"},
		{"app | --jwt | X1", "app | --jwt | [redacted]"},
		{"app | --jwt=X1", "app | --jwt=[redacted]"},
		{"curl | --oauth2-bearer | X1", "curl | --oauth2-bearer | [redacted]"},
		{"curl | https://h/x?sv=1&sig=X1%3D&y=1", "curl | https://h/x?sv=1&sig=[redacted]&y=1"},
		{"curl | https://h/x?X-Amz-Signature=abc", "curl | https://h/x?X-Amz-Signature=[redacted]"},
		{"git | clone | https://abcdef0123456789abcd@h/r", "git | clone | https://[redacted]@h/r"},
		{"git | clone | https://abcdef0123456789abcd:x-oauth-basic@h/r", "git | clone | https://[redacted]:[redacted]@h/r"},
		{"app | sk-proj-abcdefgh0123456789", "app | [redacted]"},
		{"app | hf_abcdefghijklmnopqrstuvwxyzABCDEFGH", "app | [redacted]"},
		{"docker | x | dckr_pat_abcdefgh0123456789", "docker | x | [redacted]"},
		{"redis-cli | -h | x | -a | X1 | ping", "redis-cli | -h | x | -a | [redacted] | ping"},
		{"ldapsearch | -x | -w | X1", "ldapsearch | -x | -w | [redacted]"},
		{"ldapsearch | -wX1", "ldapsearch | -w[redacted]"},
		{"docker | login | -u | me | -p | X1 | h", "docker | login | -u | me | -p | [redacted] | h"},
		{"docker | login | -pX1", "docker | login | -p[redacted]"},
		{"sudo | podman | login | -p | X1", "sudo | podman | login | -p | [redacted]"},
		{"aws | configure | set | aws_secret_access_key | X1", "aws | configure | set | aws_secret_access_key | [redacted]"},
		{"npm | config | set | //h/:_authToken=X1", "npm | config | set | //h/:_authToken=[redacted]"},
		{"mongosh | -u | me | -p | X1", "mongosh | -u | me | -p | [redacted]"},
		{"sqlcmd | -P | X1", "sqlcmd | -P | [redacted]"},
		{"7z | a | -pX1 | x.7z", "7z | a | -p[redacted] | x.7z"},
		{"zip | -P | X1 | x.zip", "zip | -P | [redacted] | x.zip"},
		{"keytool | -storepass | X1 | -keypass | X2", "keytool | -storepass | [redacted] | -keypass | [redacted]"},
	} {
		got, changed := redact.Args(line(test.in))
		if !slices.Equal(got, line(test.want)) || !changed {
			t.Errorf("%s\n got %s (%t)\nwant %s", test.in, strings.Join(got, " | "), changed, test.want)
		}
	}
}

// TestNoSecrets has what is to stay as it is.
func TestNoSecrets(t *testing.T) {
	for _, in := range []string{
		"", "gcc | -O2 | -o | main.o | main.c",
		"app | --password-file=/run/pw | --token-url=https://h/t | --token-path | /x",
		"app | --no-password | positional", "app | --max-tokens=100 | --max-token | 7", "llm | --tokenizer | bert",
		"app | --password= | --token=$TOKEN | --secret=true",
		"app | --password | --verbose", "ffmpeg | -i | x | -pass | 1", "app | --two-pass | x",
		"ssh | -i | key | me@host", "git | clone | ssh://git@host/r", "curl | https://host/path?q=1#key",
		"app | --private-key=/etc/k.pem | --private-key | ./k", "app | --key=value | --sort-key=name | --primary-key | id",
		"env | PWD=/root | OLDPWD=/ | SSH_AUTH_SOCK=/tmp/a", "make | -j8 | CC=gcc | V=1",
		"sshd: root@pts/0", "nginx: worker process", "curl | -u | me | https://h/", "cp | -p | a | b",
		"java | -Dfile.encoding=UTF-8 | -Xmx1g", "app | npm_lifecycle_event | hf_transfer | sk-learn",
		"npm_config_user_agent_of_nothing_in_particular", "[redacted]",
		"go | build | -p | 4 | ./...",
		"go | test | -run | TestPassword | -race",
		"gcc | -pipe | -pthread | -pg",
		"docker | run | -p | 80:80 | nginx",
		"docker | run | --name | mysql | -p3306:3306 | mysql:8",
		"docker | run | -p3306:3306 | mysql",
		"ssh | -p | 22 | h",
		"mkdir | -p | a",
		"tar | -pxf | x.tar",
		"cp | -pR | mysql | x",
		"ps | -p | 1",
		"make | -j8",
		"sudo | -u | mysql | tar | -pxf | x",
		"find | /var/lib/mysql | -print",
		"find | / | -name | mysql | -print",
		"rsync | -ap | /etc/mysql | b",
		"mysql | -P | 3306 | db",
		"mysql | -p | db",
		"curl | -su | me | https://h/",
		"curl | -o | x | -sS | https://h:8080/",
		"sshd | -p | 22",
		"app | --pass-through | x | --bypass | y | --compass=z",
		"app | --pass-through=x",
		"env | PASS | compass=x | COMPASS=y | BYPASS=1",
		"ffmpeg | -pass | 1 | x",
		"x264 | --pass | 2 | -o | y",
		"app | pass=1:stats=x",
		"sh | -c | echo PASS: test; echo 'PASS: it'",
		"go | PASS: TestX",
		"git | commit | -m | fix token: handle nil",
		"git | commit | -m | fix the password prompt",
		"sh | -c | read -p \"Enter password: \" x && echo done",
		"sh | -c | read -p \"Password:\" x && echo \"done\"",
		"sh | -c | if [ $x == password ]; then y; fi",
		"python3 | -c | if token == 'x': pass",
		"python3 | -c | token = next(it)",
		"docker | run | -v | secret:/run/secret:ro | x",
		"sh | -c | mkdir -p a; ssh -p 22 h; ps -p 1",
		"sh | -c | mysql db < x; tar -pxf y",
		"sh | -c | curl -u \"$U\" h; mysql -p\"$PW\"",
		"git | clone | https://me@bitbucket.org/r",
		"curl | https://h/x?signal=1&sign=2",
		"redis-server | -a | x",
		"ldapsearch | -W | -x",
		"docker | ps | -a",
		"grep | -a | x",
		"app | {\"max_tokens\":100,\"model\":\"x\"}",
		"app | {\"token\":null,\"password\":\"\"}",
		"app | {\"tokens\": 5}",
		"java | -cp | a:b:c | Main",
		"git | config | set | user.name | me",
		"rustc | Token::new",
		"chown | mysql:mysql | x",
		"sk-learn-tests",
		"app | --jwt | /run/jwt",
		"app | --bearer-file=/x",
		"cmake | -DPASS_COUNT=3 | -DWITH_PASS=no",
		"kill | -s | USR1 | 5",
		"java | -Dx=http://h:80/a",
		"sh | -c | cd /tmp && PWD=/x make -j8 CC=gcc V=1",
		"ls | --sort=size | -l",
		"perl | -pe | s/a/b/",
		"sed | -n | 1,5p | x",
		"systemctl | show | -p | MainPID | mysql",
	} {
		args := line(in)
		got, changed := redact.Args(args)
		if changed || &got[0] != &args[0] {
			t.Errorf("%s: became %s", in, strings.Join(got, " | "))
		}
	}
}

// TestArgsAreNotChanged holds that what is given stays as it is.
func TestArgsAreNotChanged(t *testing.T) {
	args := []string{"app", "--password=x1", "--password", "x2"}
	before := slices.Clone(args)
	if _, changed := redact.Args(args); !changed || !slices.Equal(args, before) {
		t.Errorf("%v, %t", args, changed)
	}
	if got, changed := redact.Args(nil); got != nil || changed {
		t.Errorf("of nil %v, %t", got, changed)
	}
}

// TestLongArguments takes arguments of the most that execve(2) allows, which a rule
// that looks back for each part would take for ever over.
func TestLongArguments(t *testing.T) {
	for _, unit := range []string{"a=", "x://", "-p=a ", "ghp_0123456789abcdef0 ", "a:", "'", "TOKEN='", "&token=x", "@", "A", "key.", "password ", "'--password '$ ", "{\"token\": ", "token:[", "token=,", "mysql -p\"", "curl\n", "Authorization: x", "token:/", "-\\' ", "token = ", "curl -u:"} {
		arg := strings.Repeat(unit, 128<<10/len(unit))
		for _, args := range [][]string{{"app", arg}, {"app", "x://" + arg}, {"app", "--x=" + arg}} {
			if got, _ := redact.Args(args); len(got) != 2 {
				t.Errorf("%s…: %d arguments", unit, len(got))
			}
		}
	}
}

func FuzzArgs(f *testing.F) {
	for _, s := range []string{
		"app\x00--password\x00x", "sh\x00-c\x00curl -u a:b -H \"Cookie: x\"; token => 'x'", "sh\x00-c\x00A_TOKEN='x", "c://a:b@c?token=x&secret=[redacted]x", "curl\x00-u\x00:", "mysql\x00-p\x00-px",
		"a\x00Authorization: Basic  x y", "x\x00 =\"", "sh\x00-c\x00mysql -p'x y' -p\"z", "x\x00{\"token\":\"a\",b:[c]}", "set\x00token\x00x", "a\x00token: x://b:c@d", "openssl\x00-pass\x00pass:", "password=[redacted]:x",
	} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, in string) {
		args := strings.Split(in, "\x00")
		once, changed := redact.Args(args)
		if len(once) != len(args) {
			t.Fatalf("%d arguments became %d", len(args), len(once))
		}
		if changed == slices.Equal(once, args) {
			t.Fatalf("%q became %q: changed %t", args, once, changed)
		}
		if twice, again := redact.Args(once); again {
			t.Fatalf("%q became %q, and that %q", args, once, twice)
		}
	})
}

func BenchmarkArgs(b *testing.B) {
	args := strings.Fields("gcc -Wall -Wextra -O2 -g -std=gnu11 -DNDEBUG=1 -I/usr/include/glib-2.0 -I./include -fPIC -c src/main/process/tree.c -o build/obj/tree.o -MMD -MF build/dep/tree.d")
	b.ReportAllocs()
	for b.Loop() {
		redact.Args(args)
	}
}
