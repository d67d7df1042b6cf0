/* mpi_pingpong plain|matched BATCHES: half round trips between two ranks, by message size. funcx-mpi-pingpong does the same in C#.
   plain: MPI_Send and MPI_Recv. matched: MPI_Isend, MPI_Improbe until there is a message, MPI_Mrecv, MPI_Test until the send is finished.
   Prints a line "bytes microseconds" per size: the shortest batch, since both ranks spin and whatever else their cores do only adds.
   Ends with 1 when a message has other bytes than were sent. */
#include <mpi.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const int sizes[] = {8, 64, 512, 1024, 8192, 65536, 524288, 4194304};

static void receive_matched(char *body, int bytes, int other)
{
    MPI_Message message;
    MPI_Status status;
    int found = 0, count;
    while (!found)
        MPI_Improbe(other, 1, MPI_COMM_WORLD, &found, &message, &status);
    MPI_Get_count(&status, MPI_BYTE, &count);
    if (count != bytes)
        MPI_Abort(MPI_COMM_WORLD, 1);
    MPI_Mrecv(body, count, MPI_BYTE, &message, &status);
}

int main(int argc, char **argv)
{
    int rank, size, provided, matched = argc > 1 && strcmp(argv[1], "matched") == 0, batches = argc > 2 ? atoi(argv[2]) : 20;
    MPI_Init_thread(NULL, NULL, MPI_THREAD_FUNNELED, &provided);
    MPI_Comm_rank(MPI_COMM_WORLD, &rank);
    MPI_Comm_size(MPI_COMM_WORLD, &size);
    if (size != 2)
        MPI_Abort(MPI_COMM_WORLD, 2);
    char *out = malloc(sizes[7]), *in = malloc(sizes[7]);
    /* Memory that nobody has written to is one page of zeros many times, which is copied faster than any message. */
    memset(out, 1, sizes[7]);
    memset(in, 2, sizes[7]);
    for (int s = 0; s < 8; s++)
    {
        int bytes = sizes[s], rounds = bytes <= 1024 ? 500 : bytes <= 8192 ? 100 : bytes <= 65536 ? 30 : bytes <= 524288 ? 8 : 2;
        double best = 0;
        for (int batch = -1; batch < batches; batch++)
        {
            MPI_Barrier(MPI_COMM_WORLD);
            double begun = MPI_Wtime();
            for (int round = 0; round < rounds; round++)
            {
                MPI_Request request = MPI_REQUEST_NULL;
                int finished = 0;
                char mark = (char)(round + s);
                for (int half = 0; half < 2; half++)
                {
                    if (half == rank)
                    {
                        out[0] = out[bytes - 1] = mark;
                        if (matched)
                            MPI_Isend(out, bytes, MPI_BYTE, 1 - rank, 1, MPI_COMM_WORLD, &request);
                        else
                            MPI_Send(out, bytes, MPI_BYTE, 1 - rank, 1, MPI_COMM_WORLD);
                    }
                    else
                    {
                        if (matched)
                            receive_matched(in, bytes, 1 - rank);
                        else
                            MPI_Recv(in, bytes, MPI_BYTE, 1 - rank, 1, MPI_COMM_WORLD, MPI_STATUS_IGNORE);
                        if (in[0] != mark || in[bytes - 1] != mark)
                            MPI_Abort(MPI_COMM_WORLD, 1);
                    }
                }
                while (matched && !finished)
                    MPI_Test(&request, &finished, MPI_STATUS_IGNORE);
            }
            double time = (MPI_Wtime() - begun) * 1e6 / rounds / 2;
            if (batch == 0 || (batch > 0 && time < best))
                best = time;
        }
        if (rank == 0)
            printf("%d %.4f\n", bytes, best);
    }
    MPI_Finalize();
    return 0;
}
