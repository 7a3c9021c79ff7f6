using System.CommandLine;
using System.Diagnostics;
using System.Net.Sockets;
using System.Text;

namespace LlmPipeline.Bench;

/// <summary>
/// <c>sockets</c>: the two round trips of a pick-up as a machine does them at best: a message is published, and who hears it asks for something and has the answer; by
/// blocking sockets and two threads, without scripts, a client library or a pool of threads.
/// </summary>
internal static class SocketsDriver
{
    private const int PickUps = OwnDriver.PickUps;
    private static readonly byte[] Subscribe = Encoding.ASCII.GetBytes("SUBSCRIBE bench:sockets\r\n");
    private static readonly byte[] Publish = Encoding.ASCII.GetBytes("PUBLISH bench:sockets 1\r\n");
    private static readonly byte[] Ping = Encoding.ASCII.GetBytes("PING\r\n");

    public static Command Create()
    {
        var (redis, jobs, concurrency) = (DriverOptions.Redis(), DriverOptions.Jobs(), DriverOptions.Concurrency());
        var command = new Command("sockets", "Two round trips to Redis by blocking sockets: a message, and a call by who hears it; says one line of JSON. --jobs and --concurrency mean nothing to it.")
        {
            redis, jobs, concurrency,
        };
        command.SetAction((parsed, _) => Task.FromResult(Run(parsed.GetRequiredValue(redis))));
        return command;
    }

    private static int Run(string address)
    {
        using var publisher = Connect(address);
        using var subscription = Connect(address);
        using var caller = Connect(address);
        using var answered = new SemaphoreSlim(0);
        var at = 0L;
        Exchange(subscription, Subscribe);
        var listener = new Thread(() =>
        {
            var message = new byte[512];
            for (var n = 0; n < PickUps && subscription.Receive(message) > 0; n++)
            {
                Exchange(caller, Ping);
                at = Stopwatch.GetTimestamp();
                answered.Release();
            }
        })
        { IsBackground = true };
        listener.Start();
        var waits = new double[PickUps];
        for (var n = 0; n < PickUps; n++)
        {
            var before = Stopwatch.GetTimestamp();
            Exchange(publisher, Publish);
            if (!answered.Wait(TimeSpan.FromSeconds(10)))
                throw new MeasurementException("a message did not come");
            waits[n] = Stopwatch.GetElapsedTime(before, at).TotalMilliseconds;
            // As idle as the others are in between.
            Thread.CurrentThread.Join(10);
        }

        Array.Sort(waits);
        DriverOptions.Say(new Dictionary<string, object?>
        {
            ["peer"] = "blocking sockets",
            ["pickup_ms_p50"] = Math.Round(waits[PickUps / 2], 2),
            ["pickup_ms_p99"] = Math.Round(waits[PickUps - 2], 2),
        });
        return 0;
    }

    private static Socket Connect(string address)
    {
        var colon = address.LastIndexOf(':');
        var socket = new Socket(SocketType.Stream, ProtocolType.Tcp) { NoDelay = true };
        socket.Connect(address[..colon], int.Parse(address.AsSpan(colon + 1), System.Globalization.CultureInfo.InvariantCulture));
        return socket;
    }

    // Each answer is so short that it comes in one piece.
    private static void Exchange(Socket socket, byte[] command)
    {
        socket.Send(command);
        if (socket.Receive(new byte[512]) == 0)
            throw new MeasurementException("Redis has closed a connection");
    }
}
