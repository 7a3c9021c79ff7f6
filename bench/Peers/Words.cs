using System.Globalization;
using System.Net;
using System.Net.Sockets;

namespace LlmPipeline.Bench;

/// <summary>What command lines are made of.</summary>
internal static class Words
{
    /// <summary>The path of this program, to be started with <c>dotnet</c>.</summary>
    public static string ThisProgram { get; } = typeof(Words).Assembly.Location;

    public static string Of(long number) => number.ToString(CultureInfo.InvariantCulture);

    /// <summary>A loopback port that nobody listens on now.</summary>
    public static int FreePort()
    {
        using var listener = new TcpListener(IPAddress.Loopback, 0);
        listener.Start();
        return ((IPEndPoint)listener.LocalEndpoint).Port;
    }

    /// <summary>The folder of the repository that this program was built from.</summary>
    /// <exception cref="MeasurementException">It was moved away.</exception>
    public static string Repository()
    {
        var folder = new DirectoryInfo(AppContext.BaseDirectory);
        while (folder is not null && !File.Exists(Path.Join(folder.FullName, "LlmPipeline.sln")))
            folder = folder.Parent;
        return folder?.FullName ?? throw new MeasurementException($"{AppContext.BaseDirectory} is not inside the repository");
    }
}
