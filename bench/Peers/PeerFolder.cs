namespace LlmPipeline.Bench;

/// <summary>Copies of the peers' drivers, outside the repository, with what they need.</summary>
internal sealed class PeerFolder
{
    /// <summary>Debian's, for which its packages of Celery and aiohttp are.</summary>
    public const string Python = "/usr/bin/python3";

    private readonly string _folder;
    private readonly Dictionary<string, string> _failed = [];

    private PeerFolder(string folder) => _folder = folder;

    /// <summary>Where the drivers are installed by default: under the user's cache directory.</summary>
    public static string Default => Path.Join(
        Environment.GetEnvironmentVariable("XDG_CACHE_HOME") is { Length: > 0 } cache ? cache : Path.Join(Environment.GetFolderPath(Environment.SpecialFolder.UserProfile), ".cache"),
        "llmpipe-peers");

    /// <summary>Copies the drivers and installs what they need. What fails is told by <see cref="Of"/>.</summary>
    /// <param name="drivers">The folder with <c>bullmq</c>, <c>hangfire</c>, <c>celery</c> and <c>asyncio</c>.</param>
    /// <param name="folder">Where to.</param>
    public static async Task<PeerFolder> InstallAsync(DirectoryInfo drivers, string folder)
    {
        var peers = new PeerFolder(folder);
        foreach (var peer in (string[])["bullmq", "hangfire", "celery", "asyncio"])
            await peers.TryAsync(peer, () => Copy(Path.Join(drivers.FullName, peer), Path.Join(folder, peer)));
        await peers.TryAsync("bullmq", () => InstallNodeAsync(Path.Join(folder, "bullmq")));
        await peers.TryAsync("hangfire", () => BuildAsync(Path.Join(folder, "hangfire")));
        return peers;
    }

    /// <summary>The folder of a peer.</summary>
    /// <exception cref="MeasurementException">It could not be installed.</exception>
    public string Of(string peer) => _failed.TryGetValue(peer, out var why) ? throw new MeasurementException(why) : Path.Join(_folder, peer);

    private static Task Copy(string from, string to)
    {
        if (!Directory.Exists(from))
            throw new MeasurementException($"there is no folder {Path.GetFileName(from)} among the drivers");
        Directory.CreateDirectory(to);
        foreach (var file in Directory.EnumerateFiles(from))
            File.Copy(file, Path.Join(to, Path.GetFileName(file)), overwrite: true);
        return Task.CompletedTask;
    }

    private static async Task InstallNodeAsync(string folder)
    {
        foreach (var script in Directory.EnumerateFiles(Path.Join(AppContext.BaseDirectory, "scripts"), "*.mjs"))
            File.Copy(script, Path.Join(folder, Path.GetFileName(script)), overwrite: true);
        var (wanted, installed) = (Path.Join(folder, "package.json"), Path.Join(folder, "installed.json"));
        if (File.Exists(installed) && await File.ReadAllTextAsync(installed) == await File.ReadAllTextAsync(wanted))
            return;
        await FinishedProcess.RunAsync("npm", ["install", "--no-audit", "--no-fund"], folder);
        File.Copy(wanted, installed, overwrite: true);
    }

    private static Task BuildAsync(string folder) => FinishedProcess.RunAsync(
        "dotnet", ["build", "hangfire.csproj", "-c", "Release", "-o", "built", "--nologo", "-v", "quiet", "-nodeReuse:false", "-p:UseSharedCompilation=false"], folder);

    private async Task TryAsync(string peer, Func<Task> install)
    {
        if (_failed.ContainsKey(peer))
            return;
        try
        {
            await install();
        }
        catch (Exception e) when (e is MeasurementException or IOException or UnauthorizedAccessException)
        {
            _failed[peer] = e.Message;
        }
    }
}
