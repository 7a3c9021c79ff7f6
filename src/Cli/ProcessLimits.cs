using System.Globalization;

namespace LlmPipeline;

/// <summary>
/// Limits of the process that are too low to work with. Below them the runtime fails at any place, and does not name the cause.
/// </summary>
internal static class ProcessLimits
{
    // Below the first no command starts. The second is what a run with 32 calls to the simulator in the process takes.
    private const int FewestFiles = 128, FewestFilesOfWork = 320;
    private const long Mebibyte = 1024 * 1024;
    private const long LeastHeap = 64 * Mebibyte, LeastHeapOfRun = 100 * Mebibyte, LeastHeapOfSimulation = 180 * Mebibyte;

    /// <summary>What keeps every command from working; null for nothing.</summary>
    public static string? Fault() => FilesFault(FewestFiles);

    /// <summary>Refuses to start what takes more than the process may have.</summary>
    /// <param name="isRun">Whether rows are counted and stored in the process.</param>
    /// <param name="isSimulated">Whether it also answers itself.</param>
    /// <exception cref="CliException">A limit is too low.</exception>
    public static void Check(bool isRun = false, bool isSimulated = false)
    {
        var fault = FilesFault(FewestFilesOfWork) ?? HeapFault(isSimulated ? LeastHeapOfSimulation : isRun ? LeastHeapOfRun : LeastHeap);
        if (fault is not null)
            throw CliException.Broke(fault);
    }

    private static string? FilesFault(int fewest) => OpenFiles() is { } files && files < fewest
        ? $"the limit of open files is {files} (ulimit -n), and {fewest} are needed at least"
        : null;

    private static string? HeapFault(long least) => GC.GetGCMemoryInfo().TotalAvailableMemoryBytes is > 0 and var heap && heap < least
        ? $"the memory is limited to {heap / Mebibyte} MiB (DOTNET_GCHeapHardLimit, or the container's limit), "
            + $"and {least / Mebibyte} MiB are needed at least"
        : null;

    // The limit in force, the soft one. Null where the system has no such file.
    private static long? OpenFiles() => ProcessFile.Find("limits", "Max open files")?.Split(' ')[0] is { } soft
        && long.TryParse(soft, NumberStyles.None, CultureInfo.InvariantCulture, out var files)
            ? files
            : null;
}
