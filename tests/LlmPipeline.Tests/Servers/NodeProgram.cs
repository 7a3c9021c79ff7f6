using System.Diagnostics;

namespace LlmPipeline;

/// <summary>
/// Programs of <c>tests/NodeClient</c>. test.sh puts the packages beside a copy of them, and with them a Node that is new enough:
/// the npm package <c>node</c>.
/// </summary>
internal static class NodeProgram
{
    private static readonly TimeSpan Patience = TimeSpan.FromMinutes(2);

    /// <summary>Runs a program; answers what it printed.</summary>
    /// <param name="name">Its file.</param>
    /// <param name="environment">Variables beside those of this process.</param>
    public static async Task<string> RunAsync(string name, params (string Name, string Value)[] environment)
    {
        var folder = Path.Join(Repository.Root, ".build/node");
        var node = Path.Join(folder, "node_modules/.bin/node");
        Assert.True(
            File.Exists(node), $"{node} is missing: ./test.sh installs it (cp tests/NodeClient/* {folder} && npm ci --prefix {folder})");
        File.Copy(Path.Join(Repository.Root, "tests/NodeClient", name), Path.Join(folder, name), overwrite: true);
        var start = new ProcessStartInfo(node, [Path.Join(folder, name)]) { RedirectStandardOutput = true, RedirectStandardError = true };
        foreach (var (variable, value) in environment)
            start.Environment[variable] = value;
        using var process = Process.Start(start)!;
        try
        {
            var error = process.StandardError.ReadToEndAsync();
            var output = await process.StandardOutput.ReadToEndAsync().WaitAsync(Patience);
            await process.WaitForExitAsync();
            Assert.True(process.ExitCode == 0, await error);
            return output;
        }
        finally
        {
            if (!process.HasExited)
                process.Kill();
        }
    }
}
