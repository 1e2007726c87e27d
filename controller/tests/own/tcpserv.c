/* A concurrent echo server as textbooks write it: it says nothing, forks, and leaves its children as zombies. */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static void die(const char *what)
{
	perror(what);
	exit(1);
}

static void echo(int connection)
{
	char buffer[4096];
	ssize_t n;

	while ((n = read(connection, buffer, sizeof buffer)) > 0 || (n < 0 && errno == EINTR))
		if (n > 0 && write(connection, buffer, n) != n)
			die("str_echo: write error");
	if (n < 0)
		die("str_echo: read error");
}

int main(void)
{
	struct sockaddr_in address;
	int yes = 1, listening = socket(AF_INET, SOCK_STREAM, 0);

	memset(&address, 0, sizeof address);
	address.sin_family = AF_INET;
	address.sin_addr.s_addr = htonl(INADDR_ANY);
	address.sin_port = htons(9877);
	setsockopt(listening, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes);
	if (bind(listening, (struct sockaddr *) &address, sizeof address) < 0)
		die("bind error");
	if (listen(listening, 5) < 0)
		die("listen error");
	for (;;) {
		int connection = accept(listening, NULL, NULL);

		if (connection < 0)
			die("accept error");
		if (fork() == 0) {
			close(listening);
			echo(connection);
			exit(0);
		}
		close(connection);
	}
}
