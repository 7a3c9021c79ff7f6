using System.Buffers.Binary;
using System.ComponentModel;
using System.Diagnostics;

namespace LlmPipeline;

/// <summary>
/// A wall clock for a redis-server that a test steps while the server runs: a small library that is loaded before the C library's and adds what a file
/// says. Debian's faketime can't do this: it clashes with the server's jemalloc. Timers run as ever.
/// </summary>
internal sealed class SteppedClock : IDisposable
{
    private const string Source =
        """
        #define _GNU_SOURCE
        #include <fcntl.h>
        #include <stdint.h>
        #include <stdlib.h>
        #include <sys/mman.h>
        #include <sys/syscall.h>
        #include <sys/time.h>
        #include <time.h>
        #include <unistd.h>

        static volatile int64_t zero;
        static volatile int64_t *shift;

        static int64_t milliseconds(void)
        {
            if (!shift) {
                const char *path = getenv("STEPPED_CLOCK");
                int file = path ? open(path, O_RDONLY) : -1;
                void *map = file < 0 ? MAP_FAILED : mmap(0, 8, PROT_READ, MAP_SHARED, file, 0);
                if (file >= 0) close(file);
                shift = map == MAP_FAILED ? &zero : map;
            }
            return *shift;
        }

        int clock_gettime(clockid_t id, struct timespec *at)
        {
            int result = syscall(SYS_clock_gettime, id, at);
            if (result == 0 && (id == CLOCK_REALTIME || id == CLOCK_REALTIME_COARSE)) at->tv_sec += milliseconds() / 1000;
            return result;
        }

        int gettimeofday(struct timeval *restrict at, void *restrict zone)
        {
            struct timespec now;
            clock_gettime(CLOCK_REALTIME, &now);
            at->tv_sec = now.tv_sec;
            at->tv_usec = now.tv_nsec / 1000;
            return 0;
        }

        time_t time(time_t *at)
        {
            struct timespec now;
            clock_gettime(CLOCK_REALTIME, &now);
            if (at) *at = now.tv_sec;
            return now.tv_sec;
        }
        """;

    private static readonly Lazy<Task<string>> Library = new(BuildAsync);
    private readonly string _library;
    private readonly string _file = Path.GetTempFileName();

    private SteppedClock(string library) => _library = library;

    /// <summary>A clock that is ahead by whole seconds, or behind where that is negative.</summary>
    public static async Task<SteppedClock> CreateAsync(TimeSpan ahead)
    {
        var clock = new SteppedClock(await Library.Value);
        clock.Set(ahead);
        return clock;
    }

    /// <summary>Steps it.</summary>
    public void Set(TimeSpan ahead)
    {
        var bytes = new byte[sizeof(long)];
        BinaryPrimitives.WriteInt64LittleEndian(bytes, (long)ahead.TotalMilliseconds);
        // The server has mapped the file, so that it stays as long as it is.
        using var file = new FileStream(_file, FileMode.OpenOrCreate, FileAccess.Write, FileShare.ReadWrite);
        file.Write(bytes);
    }

    public void Set(IDictionary<string, string?> environment)
    {
        environment["LD_PRELOAD"] = _library;
        environment["STEPPED_CLOCK"] = _file;
    }

    public void Dispose() => File.Delete(_file);

    private static async Task<string> BuildAsync()
    {
        var folder = Directory.CreateTempSubdirectory("llmpipe-clock-").FullName;
        AppDomain.CurrentDomain.ProcessExit += (_, _) => Directory.Delete(folder, recursive: true);
        var (source, library) = (Path.Join(folder, "clock.c"), Path.Join(folder, "clock.so"));
        await File.WriteAllTextAsync(source, Source);
        try
        {
            using var compiler = Process.Start(new ProcessStartInfo("gcc", ["-shared", "-fPIC", "-O1", "-o", library, source]) { RedirectStandardError = true })!;
            var said = await compiler.StandardError.ReadToEndAsync();
            await compiler.WaitForExitAsync();
            return compiler.ExitCode == 0 ? library : throw new InvalidOperationException("gcc: " + said);
        }
        catch (Win32Exception e)
        {
            throw new FileNotFoundException("these tests need the program gcc, and it is not installed (Debian: apt-get install gcc libc6-dev)", "gcc", e);
        }
    }
}
