/* An echo client as textbooks write it: lines from standard input to the server, and back to standard output. */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#ifdef NEEDS_LIBRARY
int from_the_library(void);
#else
static int from_the_library(void)
{
	return 0;
}
#endif

static void die(const char *what)
{
	perror(what);
	exit(1);
}

int main(int argc, char **argv)
{
	struct sockaddr_in address;
	char line[4096], back[4096];
	int server = socket(AF_INET, SOCK_STREAM, 0);

	if (argc != 2) {
		fprintf(stderr, "usage: tcpcli <IPaddress>\n");
		exit(1);
	}
	memset(&address, 0, sizeof address);
	address.sin_family = AF_INET;
	address.sin_port = htons(9877);
	if (inet_pton(AF_INET, argv[1], &address.sin_addr) != 1)
		die("inet_pton error");
	if (connect(server, (struct sockaddr *) &address, sizeof address) < 0)
		die("connect error");
	while (fgets(line, sizeof line, stdin) != NULL) {
		ssize_t n;

		if (write(server, line, strlen(line)) < 0)
			die("str_cli: write error");
		if ((n = read(server, back, sizeof back - 1)) < 0)
			die("str_cli: read error");
		if (n == 0) {
			fprintf(stderr, "str_cli: server terminated prematurely\n");
			exit(1);
		}
		back[n] = 0;
		fputs(back, stdout);
	}
	return from_the_library();
}
